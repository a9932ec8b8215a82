-- That no form follows on a connection is said before the customer leaves for the provider.
ALTER TABLE connect_session ADD COLUMN skip_form BOOLEAN NOT NULL DEFAULT FALSE;
