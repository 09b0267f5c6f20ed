"""FHIR R4 notification messages (Da Vinci Unsolicited Notifications) as the nouns of `app.domain`. See README.md."""
