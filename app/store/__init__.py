"""All SQL of the service. Reads that return patient data take a Viewer; row-level security says no when code forgets."""
