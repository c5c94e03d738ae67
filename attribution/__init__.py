"""Who gets the credit: touches, conversions and weights of a person's journey, as row numbers."""
