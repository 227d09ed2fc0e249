import { answer, command, flag, integer, record, text } from './schema.js';

/** Asks an agent for a key pair and a certificate request. In sequence, wait 60. */
export const SetupKeyStoreCommand = command('org.apache.cloudstack.ca.SetupKeyStoreCommand', {
  validityDays: integer,
  /** 16 characters */
  keystorePassword: text,
  handleByAgent: flag,
  accessDetails: record,
});

/** Mind the lower-case S. */
export const SetupKeystoreAnswer = answer('org.apache.cloudstack.ca.SetupKeystoreAnswer', {
  /** PEM */
  csr: text,
});

/** Gives an agent its certificate. The agent restarts its connection 5 s later. */
export const SetupCertificateCommand = command('org.apache.cloudstack.ca.SetupCertificateCommand', {
  /** PEM */
  certificate: text,
  /** "" after a certificate request. */
  privateKey: text,
  /** PEM */
  caCertificates: text,
  handleByAgent: flag,
  accessDetails: record,
});

export const SetupCertificateAnswer = answer('org.apache.cloudstack.ca.SetupCertificateAnswer', {});
