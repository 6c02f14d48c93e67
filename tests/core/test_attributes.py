"""The mappings whose items read like attributes."""

import copy
from collections.abc import Mapping, MutableMapping

import pytest

from drupe.core.attributes import Attributes, FrozenAttributes, NoItemError, freeze, thaw
from drupe.errors import DrupeError

BOTH = pytest.mark.parametrize("kind", [Attributes, FrozenAttributes])


@BOTH
class TestReading:
    def test_an_item_reads_as_an_attribute(self, kind):
        assert kind(volume=1.5).volume == 1.5

    def test_it_equals_a_plain_dictionary(self, kind):
        assert kind(a=1, b={"c": 2}) == {"a": 1, "b": {"c": 2}}

    def test_it_is_a_mapping(self, kind):
        assert isinstance(kind(), Mapping)
        assert dict(**kind(a=1)) == {"a": 1}

    def test_a_missing_item_is_an_attribute_error_that_suggests_close_names(self, kind):
        with pytest.raises(AttributeError, match=r"^no 'volumee' here; did you mean 'volume'\?$"):
            _ = kind(volume=1, cell=2).volumee

    def test_without_a_close_name_the_error_lists_all(self, kind):
        with pytest.raises(NoItemError, match=r"^no 'x' here; there are 'volume', 'cell'$"):
            _ = kind(volume=1, cell=2).x

    def test_an_empty_one_says_so(self, kind):
        with pytest.raises(NoItemError, match=r"there are none$") as caught:
            _ = kind().x
        assert isinstance(caught.value, DrupeError)
        assert caught.value.name == "x"

    def test_a_missing_item_can_be_asked_for(self, kind):
        assert getattr(kind(a=1), "b", None) is None
        assert not hasattr(kind(a=1), "b")

    def test_methods_win_over_items_of_the_same_name(self, kind):
        mapping = kind({"items": 1})
        assert list(mapping.items()) == [("items", 1)]
        assert mapping["items"] == 1

    def test_dir_has_the_items(self, kind):
        assert {"volume", "keys"} <= set(dir(kind(volume=1)))

    def test_the_repr_names_the_kind(self, kind):
        assert repr(kind(a=1)) == f"{kind.__name__}({{'a': 1}})"

    def test_a_deep_copy_is_of_the_same_kind_and_shares_nothing(self, kind):
        original = kind(a=[1], b=kind(c=[2]))
        twin = copy.deepcopy(original)
        assert twin == original
        assert type(twin) is type(twin.b) is kind
        assert twin.a is not original.a
        assert twin.b.c is not original.b.c


class TestAttributes:
    def test_attributes_are_written_and_deleted_as_items(self):
        ctx = Attributes()
        ctx.count = 1
        ctx.count += 1
        assert ctx == {"count": 2}
        del ctx.count
        assert not ctx

    def test_deleting_what_is_not_there_is_an_attribute_error(self):
        with pytest.raises(NoItemError, match="did you mean 'count'"):
            del Attributes(count=1).cuont

    def test_a_name_that_could_not_be_read_back_is_refused(self):
        ctx = Attributes()
        with pytest.raises(AttributeError, match=r"write it as an item: \['items'\]"):
            ctx.items = 3
        ctx["items"] = 3
        assert ctx == {"items": 3}

    def test_a_copy_is_independent(self):
        ctx = Attributes(a=1)
        for twin in (ctx.copy(), copy.copy(ctx)):
            twin.a = 2
            assert type(twin) is Attributes
            assert ctx.a == 1

    def test_it_is_a_mutable_mapping(self):
        assert isinstance(Attributes(), MutableMapping)


class TestFrozenAttributes:
    @pytest.mark.parametrize(
        "change",
        [
            lambda inputs: inputs.__setitem__("a", 2),
            lambda inputs: inputs.__delitem__("a"),
            lambda inputs: inputs.__ior__({"b": 2}),
            lambda inputs: inputs.update(b=2),
            lambda inputs: inputs.setdefault("b", 2),
            lambda inputs: inputs.pop("a"),
            lambda inputs: inputs.popitem(),
            lambda inputs: inputs.clear(),
        ],
    )
    def test_no_method_changes_it(self, change):
        inputs = FrozenAttributes(a=1)
        with pytest.raises(TypeError, match="FrozenAttributes is read-only"):
            change(inputs)
        assert inputs == {"a": 1}

    def test_attributes_cannot_be_set_or_deleted(self):
        inputs = FrozenAttributes(a=1)
        with pytest.raises(AttributeError, match="cannot set 'a'"):
            inputs.a = 2
        with pytest.raises(AttributeError, match="cannot delete 'a'"):
            del inputs.a
        assert inputs == {"a": 1}

    def test_a_shallow_copy_is_itself(self):
        inputs = FrozenAttributes(a=1)
        assert copy.copy(inputs) is inputs

    def test_thawing_gives_mappings_that_can_be_changed_all_the_way_down(self):
        values = {"plain": 1}
        inputs = FrozenAttributes(cell=FrozenAttributes(volume=1), values=values)
        thawed = thaw(inputs)
        thawed.cell.volume = 2
        assert thawed == {"cell": {"volume": 2}, "values": {"plain": 1}}
        assert thawed["values"] is values
        assert inputs.cell.volume == 1

    def test_freezing_gives_read_only_namespaces_and_leaves_emitted_dictionaries_alone(self):
        outputs = {"cell": Attributes(volume=1), "table": {"a": 1}}
        frozen = freeze(outputs)
        assert frozen == outputs
        assert type(frozen) is type(frozen.cell) is FrozenAttributes
        assert frozen.table is outputs["table"]
        outputs["cell"].volume = 2
        assert frozen.cell.volume == 1
