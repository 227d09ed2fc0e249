import { answer, command, flag, integer, record, text } from './schema.js';

/** From a server: make a key pair and a certificate request. Travels with `wait` 60, not in sequence. */
export const SetupKeyStoreCommand = command('org.apache.cloudstack.ca.SetupKeyStoreCommand', {
  validityDays: integer,
  /** 16 characters */
  keystorePassword: text,
  handleByAgent: flag,
  accessDetails: record,
});

/** The certificate request of an agent. Its class name has a lower-case `s` in `Keystore`. */
export const SetupKeystoreAnswer = answer('org.apache.cloudstack.ca.SetupKeystoreAnswer', {
  /** PEM */
  csr: text,
});

/** From a server: the agent's certificate. CloudStack's agent connects anew 5 s later. */
export const SetupCertificateCommand = command('org.apache.cloudstack.ca.SetupCertificateCommand', {
  /** PEM */
  certificate: text,
  /** PEM; empty when the agent has made the key itself. */
  privateKey: text,
  /** PEM */
  caCertificates: text,
  handleByAgent: flag,
  accessDetails: record,
});

/** `result` is true when the agent has stored the certificate. */
export const SetupCertificateAnswer = answer('org.apache.cloudstack.ca.SetupCertificateAnswer', {});
