import { reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import {
  SetupCertificateAnswer,
  SetupCertificateCommand,
  SetupKeyStoreCommand,
  SetupKeystoreAnswer,
} from '../../protocol/index.js';
import { machineName } from '../resources/startup-commands.js';
import type { Handler } from './handler.js';

// CloudStack's servers expect these classes, also when the command has failed. Its `keystorePassword` is for a Java key
// store, which this agent does not have.

export const handleSetupKeyStore: Handler = async (command, { trust, resource }) => {
  SetupKeyStoreCommand.decode(command);
  try {
    const name = machineName(await resource.startup());
    const csr = await trust.setUpKeyStore(name === undefined ? undefined : peerText(name));
    return { answer: SetupKeystoreAnswer.encode({ csr, result: true }) };
  } catch (error) {
    return { answer: SetupKeystoreAnswer.encode({ result: false, details: peerText(reasonOf(error)) }) };
  }
};

export const handleSetupCertificate: Handler = async (command, { trust }) => {
  const { certificate = '', privateKey = '', caCertificates = '' } = SetupCertificateCommand.decode(command);
  try {
    await trust.setUpCertificate({ certificate, privateKey, caCertificates });
    return { answer: SetupCertificateAnswer.encode({ result: true }), consequence: { kind: 'certificate' } };
  } catch (error) {
    return { answer: SetupCertificateAnswer.encode({ result: false, details: peerText(reasonOf(error)) }) };
  }
};
