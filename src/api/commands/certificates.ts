import { type ApiCommands, boolean, DONE, date, integer, list, optional, required, string, uuid } from '../table.js';

const PROVIDER = string('root, the only one');
const SUCCESS = { kind: 'plain', object: 'success', fields: { success: boolean('true') } } as const;

const AUTHORITY = {
  fingerprint: string('SHA-256 of its certificate, hex'),
  name: string('its subject'),
  state: string('introduced, issuing, trusted or dropped'),
  isgiven: boolean('whether its key is in files of the servers (ca.key)'),
  created: date('when it was introduced'),
  changed: date('when it came into its state'),
  ends: date('when its certificate ends'),
  hostsbehind: optional(
    integer(
      'introduced: hosts that have not confirmed yet that they trust it; issuing: those with none of its certificates',
    ),
  ),
  hostsbehindup: optional(integer('how many of them are Up')),
  hostsbehindnames: optional(list('string', 'names of five of them, those that are Up first')),
} as const;

export const CERTIFICATE_COMMANDS = {
  listCAProviders: {
    description: 'Lists what issues certificates: there is one',
    forReaders: true,
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
    forReaders: true,
    params: { provider: PROVIDER },
    response: { kind: 'object', object: 'cacertificates', fields: { certificate: string('PEM') } },
    columns: ['certificate'],
  },
  listCertificateAuthorities: {
    description: 'Lists the CAs, and how far a change from one to another has come',
    forReaders: true,
    params: {},
    response: { kind: 'list', object: 'certificateauthority', fields: AUTHORITY },
    columns: ['name', 'state', 'changed', 'ends', 'hostsbehind', 'hostsbehindup', 'fingerprint'],
  },
  introduceCertificateAuthority: {
    description: 'Has agents trust another CA beside the present one; servers switch to it when all that are Up do',
    params: {
      certificate: string(
        'an own CA, whose key servers have in files: its certificate, and those that lead to its root, PEM; none: one is made',
      ),
    },
    response: { kind: 'object', object: 'certificateauthority', fields: AUTHORITY },
    columns: ['name', 'state', 'hostsbehind', 'hostsbehindup', 'fingerprint'],
  },
  switchCertificateAuthority: {
    description: 'Has servers issue with the introduced CA, without waiting until they would by themselves',
    params: { forced: boolean('also while hosts that are Up have not confirmed that they trust it (false)') },
    response: { kind: 'object', object: 'certificateauthority', fields: AUTHORITY },
    columns: ['name', 'state', 'hostsbehind', 'hostsbehindup', 'fingerprint'],
  },
  dropCertificateAuthority: {
    description: 'Has servers and agents trust a former CA no longer, or one that was introduced',
    params: {
      fingerprint: required(string('SHA-256 of its certificate, hex')),
      forced: boolean('also while hosts have no certificate of the CA that issues: they cannot come in (false)'),
    },
    ...DONE,
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
