"""The library that a work is written with: whichever one this interpreter was started to measure."""

import importlib
import os

_library = importlib.import_module(os.environ["BENCHMARK_LIBRARY"])

Continue = _library.Continue
Process = _library.Process
WorkChain = _library.WorkChain
if_ = _library.if_
while_ = _library.while_
