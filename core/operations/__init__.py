"""Rules about accounts that hold whoever changes them, and what people change of themselves."""
