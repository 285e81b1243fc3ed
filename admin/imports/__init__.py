"""Files that name things to create: read, planned as a whole, and carried out as planned."""
