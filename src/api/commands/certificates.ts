import { type ApiCommands, boolean, integer, required, string, uuid } from '../table.js';

const PROVIDER = string('root, the only one');
const SUCCESS = { kind: 'plain', object: 'success', fields: { success: boolean('true') } } as const;

export const CERTIFICATE_COMMANDS = {
  listCAProviders: {
    description: 'Lists what issues certificates: there is one',
    params: { name: string('only the provider with this name') },
    response: {
      kind: 'list',
      object: 'caprovider',
      fields: { name: string('root'), description: string('what it is') },
    },
    columns: ['name', 'description'],
  },
  listCaCertificate: {
    description: 'Shows the certificates of the CA, which agents and clients have to trust',
    params: { provider: PROVIDER },
    response: { kind: 'object', object: 'cacertificates', fields: { certificate: string('PEM') } },
    columns: ['certificate'],
  },
  issueCertificate: {
    description:
      'Issues a certificate for a certificate request. The key stays with whoever made the request: servers make none for others',
    isAsync: true,
    params: {
      csr: required(string('the certificate request, PEM')),
      domain: string('DNS names that the certificate is for, separated by commas'),
      ipaddress: string('IP addresses that it is for, separated by commas'),
      duration: integer('how long it is valid, in days (ca.framework.cert.validity.period)'),
      provider: PROVIDER,
    },
    response: {
      kind: 'object',
      object: 'certificate',
      fields: {
        certificate: string('the certificate, PEM'),
        cacertificates: string('the certificates of the CA, PEM'),
      },
    },
    columns: ['certificate'],
  },
  provisionCertificate: {
    description: 'Gives the agent of a host a new certificate, over its link',
    isAsync: true,
    params: {
      hostid: required(uuid('the host')),
      reconnect: boolean(
        "whether the link of a CloudStack agent is ended afterwards (true); Muster's open a new one first",
      ),
      forced: boolean("also where the host's certificate was revoked (false)"),
      provider: PROVIDER,
    },
    response: SUCCESS,
    columns: ['success'],
  },
  revokeCertificate: {
    description: 'Revokes a certificate: it is refused by every server from then on',
    isAsync: true,
    params: {
      serial: required(string('its serial number, hex')),
      cn: string('the name that it was issued to, for people'),
      provider: PROVIDER,
    },
    response: SUCCESS,
    columns: ['success'],
  },
} as const satisfies ApiCommands;
