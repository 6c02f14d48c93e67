"""The pure core: rules about processes that know no loop, clock, chance, file or socket."""
