"""Pure values and laws: no input or output, no database, no tensors."""
