import { list } from '../api.js';
import { events } from '../live.js';
import { CertificateState } from './agent.js';
import { AgentLink, Ago, At, Failure, Table, useReading } from './parts.js';

const SHOWN = 500;

export function CertificatesPage() {
  // Events of the CA say when it is to be read again.
  const last = events.value.find(({ type }) => type.startsWith('CA.'))?.id;
  const { value, failure } = useReading(async () => {
    const [ending, authorities] = await Promise.all([
      list('listAgentLinks', { expiring: true, pagesize: SHOWN }),
      list('listCertificateAuthorities', {}),
    ]);
    return { ending, authorities };
  }, [last]);
  const known = value.value;
  return (
    <>
      <h1>Certificates</h1>
      <Failure text={failure.value} />
      {known === undefined ? (
        failure.value === undefined && <p role="status">Reading …</p>
      ) : (
        <>
          <section class="panel" aria-labelledby="ending">
            <header>
              <h2 id="ending">Certificates of agents that need a look</h2>
              <span class="muted small">
                {known.ending.count.toLocaleString('en-US')} have ended, were revoked, or are to be renewed
              </span>
            </header>
            <Table
              label="Certificates of agents that need a look"
              items={known.ending.items}
              keyOf={({ hostid }) => hostid}
              empty="All certificates of agents are good for longer than they need to be."
              columns={[
                {
                  name: 'agent',
                  isShort: true,
                  cell: ({ hostid, hostname }) => <AgentLink id={hostid} name={hostname} />,
                },
                { name: 'state', isShort: true, cell: one => <CertificateState state={one.certificatestate} /> },
                { name: 'ends', isShort: true, cell: one => <At at={one.certificateends} /> },
                { name: 'from now', isShort: true, cell: one => <Ago at={one.certificateends} /> },
                { name: 'why it was not renewed', cell: one => one.certificatefailure },
              ]}
            />
          </section>
          <section class="panel" aria-labelledby="authorities">
            <header>
              <h2 id="authorities">Authorities</h2>
            </header>
            <Table
              label="Authorities"
              items={known.authorities.items}
              keyOf={({ fingerprint }) => fingerprint}
              empty="There is none."
              columns={[
                { name: 'state', isShort: true, cell: ({ state }) => <span class="tag">{state}</span> },
                { name: 'subject', cell: ({ name }) => name },
                { name: 'agents behind', isNumber: true, cell: ({ hostsbehind }) => hostsbehind },
                { name: 'ends', isShort: true, cell: one => <At at={one.ends} /> },
                { name: 'fingerprint', cell: ({ fingerprint }) => <span class="mono">{fingerprint}</span> },
              ]}
            />
          </section>
        </>
      )}
    </>
  );
}
