"""HL7 v2 over MLLP and HTTP: reading, acknowledging, listening, sending. See README.md here."""
