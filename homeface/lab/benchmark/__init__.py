"""homeface beside what a user would pick instead: same frames, one run, each in a process of its own."""
