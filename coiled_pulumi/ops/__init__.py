"""What the command line does with the engine: which workspace, which events, which errors."""
