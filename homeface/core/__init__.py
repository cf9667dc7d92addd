"""Pure core: stdlib and numpy. No clock, no I/O, no logging, no asyncio, no torch."""
