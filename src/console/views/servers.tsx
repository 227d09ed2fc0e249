import { useComputed } from '@preact/signals';
import { amount, amountThat } from '../../lib/text/amount.js';
import { ask } from '../api.js';
import { fleet } from '../fleet.js';
import { isOperator, jobs, type Server, servers, serversNow } from '../live.js';
import { isUnderWay, type Job, lookOf } from '../model/jobs.js';
import { sharesOf } from '../model/shares.js';
import { isDown } from '../model/verdict.js';
import { hrefOf } from '../router.js';
import { Burndown } from './burndown.js';
import { JobState } from './jobs.js';
import { Action, Ago, At, Facts, ServerAt, Table } from './parts.js';

const DRAINS: ReadonlySet<string> = new Set(['drain', 'rebalance', 'shutdown']);
const SHOWN = 30;

export function ServersPage() {
  const drains = useComputed(() => jobs.value.filter(({ cmd }) => DRAINS.has(cmd)).slice(0, SHOWN));
  const shares = useComputed(() => sharesOf(fleet.value, serversNow.value).shares);
  return (
    <>
      <div class="row">
        <h1>Servers and drains</h1>
        {isOperator.value && (
          <span class="grow">
            <Action
              label="Rebalance"
              question="Agents that are not on their preferred server go there now, at a pace. With rendezvous, all are assigned anew before."
              perform={async () => {
                const { placed } = await ask('rebalanceAgents', {});
                return typeof placed === 'number'
                  ? `${amountThat(placed, 'agent', ['has', 'have'])} another preferred server.`
                  : 'It has begun.';
              }}
            />
          </span>
        )}
      </div>
      {servers.value.map((server, index) => (
        <ServerPanel key={server.id} server={server} agents={shares.value[index]?.agents ?? 0} />
      ))}
      <section class="panel" aria-labelledby="burndown">
        <header>
          <h2 id="burndown">Agents by server</h2>
        </header>
        <Burndown />
      </section>
      <section class="panel" aria-labelledby="drains">
        <header>
          <h2 id="drains">Drains and rebalancing</h2>
        </header>
        <Jobs jobs={drains.value} />
      </section>
    </>
  );
}

function Jobs({ jobs: shown }: { readonly jobs: readonly Job[] }) {
  return (
    <Table
      label="Drains and rebalancing"
      items={shown}
      keyOf={({ jobid }) => jobid}
      empty="There was none in the last week."
      columns={[
        { name: 'asked for', isShort: true, cell: ({ created }) => <At at={created} /> },
        { name: 'what', isShort: true, cell: ({ cmd }) => cmd },
        { name: 'server', isShort: true, cell: ({ managementservername }) => managementservername },
        { name: 'by', isShort: true, cell: ({ createdby }) => createdby },
        { name: 'state', isShort: true, cell: job => <JobState job={job} /> },
        { name: 'how far', cell: job => lookOf(job).howFar },
        { name: 'ended', isShort: true, cell: ({ completed }) => <Ago at={completed} /> },
      ]}
    />
  );
}

function ServerPanel({ server, agents }: { readonly server: Server; readonly agents: number }) {
  const now = { state: server.state, processState: server.processstate };
  const kind = isDown(now) ? 'bad' : server.state === 'Up' ? 'good' : 'notice';
  const drain = jobs.value.find(
    job => DRAINS.has(job.cmd) && isUnderWay(job) && job.managementserverid === server.id && server.state !== 'Up',
  );
  return (
    <section class="panel stack" aria-label={server.serviceip}>
      <div class="row">
        <h2>
          <ServerAt address={server.serviceip} />
        </h2>
        <span class={`tag ${kind}`}>{isDown(now) ? `${server.state}, ${server.processstate}` : server.state}</span>
        <a href={hrefOf('agents', { search: `server:${server.serviceip}` })}>{amount(agents, 'agent')}</a>
      </div>
      <Facts
        facts={[
          ['in this state since', <Ago key="since" at={server.statesince} />],
          ['brought there by', server.stateby ?? 'the servers'],
          ['started', <Ago key="start" at={server.lastserverstart} />],
          ['version', server.version],
          ['jobs that wait', server.pendingjobscount],
          ...(server.name === server.serviceip ? [] : [['name', server.name] as const]),
        ]}
      />
      {drain !== undefined && (
        <p role="status" class="banner notice">
          {drain.cmd}: {drain.progress ?? 'it begins'}
        </p>
      )}
      {isOperator.value && <Buttons server={server} />}
    </section>
  );
}

function Buttons({ server: { id, serviceip: address, state, processstate } }: { readonly server: Server }) {
  const managementserverid = id;
  if (state === 'Down') {
    return (
      <Action
        label="Remove"
        kind="danger"
        question={`${address} is forgotten, with all that waits for it.`}
        perform={async () => (await ask('removeManagementServer', { id })).displaytext}
      />
    );
  }
  if (processstate !== 'Running' && state !== 'Maintenance') return null;
  return (
    <div class="row">
      {state === 'Up' && (
        <>
          <Action
            label="Prepare for maintenance"
            question={`${address} takes no new agents, and its agents move to the other servers.`}
            perform={async () => {
              await ask('prepareForMaintenance', { managementserverid });
              return 'It has begun.';
            }}
          />
          <Action
            label="Prepare to shut down"
            question={`The agents of ${address} move to the other servers, so that it can be shut down.`}
            perform={async () => {
              await ask('prepareForShutdown', { managementserverid });
              return 'It has begun.';
            }}
          />
        </>
      )}
      {(state === 'PreparingForMaintenance' || state === 'Maintenance') && (
        <Action
          label="Back into service"
          kind="primary"
          perform={async () => {
            await ask('cancelMaintenance', { managementserverid });
            return 'Its agents return, at a pace.';
          }}
        />
      )}
      {(state === 'PreparingForShutDown' || state === 'ReadyToShutDown') && (
        <Action
          label="Back into service"
          kind="primary"
          perform={async () => {
            await ask('cancelShutdown', { managementserverid });
            return 'It is back.';
          }}
        />
      )}
      {processstate === 'Running' && (
        <Action
          label="Shut down"
          kind="danger"
          question={`The process of ${address} ends, after its agents have moved to the other servers.`}
          perform={async () => {
            await ask('triggerShutdown', { managementserverid });
            return 'It is told.';
          }}
        />
      )}
    </div>
  );
}
