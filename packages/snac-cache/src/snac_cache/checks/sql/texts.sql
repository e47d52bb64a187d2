-- Every utterance has a text.
-- severity: warn
-- needs: manifest.text
SELECT utterance_id, audio_path
FROM manifest
WHERE text IS NULL OR trim(text::VARCHAR) = ''
