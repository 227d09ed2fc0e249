import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ResponseObject } from '../../api/types.js';
import { amount } from '../../lib/text/amount.js';
import { ask, list } from '../api.js';
import { every } from '../clock.js';
import { isOperator } from '../live.js';
import { type Change, changesOfCanary } from '../model/change.js';
import { Action, Ago, Facts, Table } from './parts.js';

export type Canary = ResponseObject<'listCanaries'>;

/** The one that stands, as far as it is known. */
export const canary = signal<Canary | undefined>(undefined);

const LOOK_MS = 2_000;

async function look(): Promise<void> {
  try {
    canary.value = (await list('listCanaries', {})).items[0];
  } catch {
    // The next look may get an answer.
  }
}

interface CanaryPanelParts {
  /** What holds, by name of the configuration. */
  readonly values: ReadonlyMap<string, string>;
  /** It holds for all now. */
  onCommitted(changes: readonly Change[]): void;
}

/** A change that holds for a few agents first: how far it is, and how it may end. */
export function CanaryPanel({ values, onCommitted }: CanaryPanelParts) {
  useEffect(() => {
    void look();
    return every(LOOK_MS, () => void look());
  }, []);
  const stands = canary.value;
  if (stands === undefined) return null;
  const { id, hosts, objection, causes } = stands;
  const changes = changesOfCanary(stands, values);
  const commit = async (forced?: boolean) => {
    const { displaytext } = await ask('commitCanary', { id, forced });
    canary.value = undefined;
    onCommitted(changes);
    return displaytext;
  };
  const takeBack = async () => {
    const { displaytext } = await ask('deleteCanary', { id });
    canary.value = undefined;
    return displaytext;
  };
  const dialAgain = async () => {
    canary.value = await ask('verifyCanary', { id });
    return '';
  };
  return (
    <section class="panel stack" aria-labelledby="canary">
      <div class="row">
        <h2 id="canary">A canary: {amount(hosts, 'agent')} first</h2>
        <span class="muted small">
          by {stands.createdby}, <Ago at={stands.created} />
        </span>
      </div>
      {changes.map(({ name, from, to }) => (
        <p key={name}>
          <span class="mono">{name}</span> from {from || 'nothing'} to {to || 'nothing'}
        </p>
      ))}
      <Bar of={stands} />
      <p role="status">{objection ?? 'Nothing speaks against it.'}</p>
      <Facts
        facts={[
          ['have their list', stands.listed],
          ['are on the first server of it', stands.arrived],
          ['connected', stands.connected],
          ['cannot be asked to dial', stands.unable],
          ['were not asked', stands.unasked],
        ]}
      />
      {causes.length > 0 && (
        <Table
          label="Why not"
          items={causes}
          keyOf={({ outcome, reason }) => `${outcome} ${reason}`}
          empty=""
          columns={[
            { name: 'agents', isNumber: true, cell: cause => cause.hosts.toLocaleString('en-US') },
            {
              name: 'outcome',
              isShort: true,
              cell: cause => (cause.outcome === 'answered' ? 'failed' : cause.outcome),
            },
            { name: 'why', cell: ({ reason }) => reason ?? '' },
            { name: 'such as', isShort: true, cell: ({ hostname }) => hostname },
          ]}
        />
      )}
      {isOperator.value && (
        <div class="row">
          {objection ? (
            <Action
              label="The rest all the same"
              kind="danger"
              question={`It would hold for all agents, though ${objection}.`}
              perform={() => commit(true)}
            />
          ) : (
            <Action label="The rest too" kind="primary" perform={() => commit()} />
          )}
          <Action label="Take it back" perform={takeBack} />
          <Action label="Dial once more" perform={dialAgain} />
        </div>
      )}
    </section>
  );
}

/** Of its hosts: those that have reached their servers, those that have not, and those that are not known to. */
function Bar({ of: { hosts, reached, failed, dialling } }: { readonly of: Canary }) {
  const part = (count: number | null | undefined) => `${((count ?? 0) / Math.max(1, hosts)) * 100}%`;
  const said = [`Have reached all servers of their lists: ${reached ?? 0}`, `have not: ${failed ?? 0}`];
  if (dialling) said.push(`are dialling: ${dialling}`);
  return (
    <div class="stack">
      <div class="bar portions" role="img" aria-label={said.join(', ')}>
        <span class="portion good" style={{ width: part(reached) }} />
        <span class="portion bad" style={{ width: part(failed) }} />
      </div>
      <p class="muted small">{said.join(', ')}.</p>
    </div>
  );
}
