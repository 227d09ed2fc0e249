import { randomBytes } from 'node:crypto';
import { peerText } from '../../lib/text/peer-text.js';
import {
  type Message,
  type Packet,
  SetupCertificateAnswer,
  SetupCertificateCommand,
  SetupKeyStoreCommand,
  SetupKeystoreAnswer,
} from '../../protocol/index.js';
import type { Issued } from './ca.js';

export interface HandOverParts {
  /** Sends commands to the agent in one packet. @returns the packet that answers them */
  ask(commands: readonly Message[]): Promise<Packet>;
  /** Issues the certificate for a request in PEM, and has it in the store: none is handed out of which nobody knows. */
  issue(csr: string): Promise<Issued>;
  /** What the agent gets as `cloud.ca.crt`, PEM. */
  readonly bundlePem: string;
  readonly validityDays: number;
}

const WAIT_SECONDS = 60;
/** CloudStack's passwords have 16 characters. */
const PASSWORD_BYTES = 8;

/**
 * Gives an agent a certificate, by CloudStack's conversation: the agent makes a key pair and a request, and gets the
 * certificate. CloudStack's agent ends its link 5 s later, and comes back with the certificate.
 * @returns the certificate, which the agent has confirmed
 * @throws CertificateRequestError; Error: the agent has refused, or did not understand; LinkError; StoreError
 */
export async function handOverCertificate({ ask, issue, bundlePem, validityDays }: HandOverParts): Promise<Issued> {
  const setup = SetupKeyStoreCommand.encode({
    validityDays,
    // CloudStack's agent keeps its Java key store under it.
    keystorePassword: randomBytes(PASSWORD_BYTES).toString('hex'),
    handleByAgent: true,
    accessDetails: {},
    wait: WAIT_SECONDS,
  });
  const [answer] = (await ask([setup])).messages;
  if (answer === undefined || !SetupKeystoreAnswer.is(answer)) throw refusal('SetupKeyStoreCommand', answer);
  const { csr, result } = SetupKeystoreAnswer.decode(answer);
  if (!result || csr === undefined) throw refusal('SetupKeyStoreCommand', answer);
  const issued = await issue(csr);
  const certificate = SetupCertificateCommand.encode({
    certificate: issued.certPem,
    privateKey: '',
    caCertificates: bundlePem,
    handleByAgent: true,
    accessDetails: {},
    wait: WAIT_SECONDS,
  });
  const [confirmation] = (await ask([certificate])).messages;
  if (confirmation === undefined || !SetupCertificateAnswer.is(confirmation) || confirmation.fields.result !== true) {
    throw refusal('SetupCertificateCommand', confirmation);
  }
  return issued;
}

function refusal(command: string, answer: Message | undefined): Error {
  const details = answer?.fields.details;
  const name = answer === undefined ? 'nothing' : peerText(answer.type.slice(answer.type.lastIndexOf('.') + 1));
  return new Error(
    typeof details === 'string' && details !== ''
      ? `the agent refused ${command}: ${peerText(details)}`
      : `the agent answered ${command} by ${name}, without success`,
  );
}
