"""Names, times and codec of the wire. Peers of version 0.9 use the same: to change one is to part from them."""

from kiwipy.rmq import codec

SECONDS_TO_MILLISECONDS = 1000

TASK_EXCHANGE = "kiwipy.tasks"
TASK_QUEUE = "kiwipy.tasks"
MESSAGE_EXCHANGE = "kiwipy.messages"
BROADCAST_TOPIC = "[broadcast]"
RPC_TOPIC = "[rpc]"

# Times in milliseconds. They are arguments of queues, and a broker refuses a queue that is declared with others.
MESSAGE_TTL = 66 * SECONDS_TO_MILLISECONDS
TEST_QUEUE_EXPIRES = 10 * SECONDS_TO_MILLISECONDS
QUEUE_EXPIRES = 60 * SECONDS_TO_MILLISECONDS
REPLY_QUEUE_EXPIRES = 60 * SECONDS_TO_MILLISECONDS
TASK_MESSAGE_TTL = 7 * 24 * 60 * 60 * SECONDS_TO_MILLISECONDS

TASK_PREFETCH_SIZE = 0
TASK_PREFETCH_COUNT = 0
TASK_FETCH_TIMEOUT = 5.0
"""In seconds."""

# The loader of those peers. It makes no object but of Python's own simple types, yet looks up names that a message
# contains: whoever may write to the broker is trusted here, as there.
ENCODER = codec.encode
DECODER = codec.decode
