import { useComputed, useSignal } from '@preact/signals';
import type { ResponseObject } from '../../api/types.js';
import { ask, list, startJob } from '../api.js';
import { fleet } from '../fleet.js';
import { isOperator, jobs } from '../live.js';
import { isUnderWay, type Job, lookOf, summaryOf } from '../model/jobs.js';
import { go, hrefOf, route } from '../router.js';
import { JobState } from './jobs.js';
import { Action, AgentLink, Ago, At, Facts, Failure, reasonOf, Table, useReading } from './parts.js';

const KNOWN = [
  'GetHostStatsCommand',
  'CheckHealthCommand',
  'CheckNetworkCommand',
  'MaintainCommand',
  'SetHostParamsCommand',
];
const SENT = 'sendCommand';
const RESULTS = 1_000;

export function CommandsPage() {
  const { path } = route.value;
  return path === '' ? <AllCommands /> : <OneCommand jobid={path} />;
}

function AllCommands() {
  const sent = useComputed(() => jobs.value.filter(({ cmd }) => cmd === SENT));
  return (
    <>
      <h1>Commands</h1>
      {isOperator.value && <Send />}
      <section class="panel" aria-labelledby="sent">
        <header>
          <h2 id="sent">What was sent</h2>
        </header>
        <Table
          label="What was sent"
          items={sent.value}
          keyOf={({ jobid }) => jobid}
          empty="Nothing was sent in the last week."
          columns={[
            {
              name: 'when',
              isShort: true,
              cell: ({ jobid, created }) => (
                <a href={hrefOf('commands', { path: jobid })}>
                  <At at={created} />
                </a>
              ),
            },
            { name: 'what', isShort: true, cell: ({ commands }) => commands },
            { name: 'by', isShort: true, cell: ({ createdby }) => createdby },
            { name: 'state', isShort: true, cell: job => <JobState job={job} /> },
            { name: 'how far', cell: job => lookOf(job).howFar },
            { name: 'ended', isShort: true, cell: ({ completed }) => <Ago at={completed} /> },
          ]}
        />
      </section>
    </>
  );
}

type Target = 'all' | 'tag' | 'ids';

function Send() {
  const target = useSignal<Target>('ids');
  const failure = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim() || undefined;
    const number = (name: string) => (text(name) === undefined ? undefined : Number(text(name)));
    const to = { all: { all: true }, tag: { tag: text('to') }, ids: { ids: text('to') } }[target.value];
    isBusy.value = true;
    failure.value = undefined;
    try {
      const params = { class: text('class'), fields: text('fields'), wait: number('wait'), canary: number('canary') };
      const rest = { maxconcurrency: number('maxconcurrency'), maxerrors: number('maxerrors') };
      go(hrefOf('commands', { path: await startJob(SENT, { ...to, ...params, ...rest }) }));
    } catch (error) {
      failure.value = reasonOf(error);
    }
    isBusy.value = false;
  };
  return (
    <form class="panel stack" onSubmit={event => void submit(event)} aria-labelledby="send">
      <h2 id="send">Send a command</h2>
      <div class="fields">
        <label class="field">
          Command
          <input name="class" list="classes" required value="GetHostStatsCommand" spellcheck={false} />
          <datalist id="classes">
            {KNOWN.map(name => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <span class="hint">known ones by their last part, others in full</span>
        </label>
        <label class="field">
          To
          <select
            value={target.value}
            onChange={event => {
              target.value = event.currentTarget.value as Target;
            }}
          >
            <option value="ids">some agents</option>
            <option value="tag">agents with a tag</option>
            <option value="all">all {fleet.value.tracks.length.toLocaleString('en-US')} agents</option>
          </select>
        </label>
        {target.value !== 'all' && (
          <label class="field">
            {target.value === 'tag' ? 'Tag' : 'Agents'}
            <input name="to" required spellcheck={false} />
            {target.value === 'ids' && <span class="hint">names, ids or guids, with commas between them</span>}
          </label>
        )}
        <label class="field wide">
          Fields
          <textarea name="fields" rows={2} spellcheck={false} placeholder="{}" />
          <span class="hint">a JSON object</span>
        </label>
        <label class="field">
          Seconds for each
          <input name="wait" type="number" min={1} placeholder="60" />
        </label>
        <label class="field">
          At the same time
          <input name="maxconcurrency" type="number" min={1} placeholder="50" />
        </label>
        <label class="field">
          First to so many
          <input name="canary" type="number" min={0} placeholder="0" />
          <span class="hint">the others follow if all of them are well</span>
        </label>
        <label class="field">
          Failures that end it
          <input name="maxerrors" type="number" min={-1} placeholder="0" />
          <span class="hint">more than this; -1: none does</span>
        </label>
      </div>
      <div class="row">
        <button type="submit" class="primary" disabled={isBusy.value}>
          Send
        </button>
      </div>
      <Failure text={failure.value} />
    </form>
  );
}

type Result = ResponseObject<'listCommandResults'>;

const OUTCOMES: Readonly<Record<string, string>> = {
  answered: 'good',
  waiting: '',
  sent: 'notice',
  cancelled: 'notice',
};

function OneCommand({ jobid }: { readonly jobid: string }) {
  const outcome = useSignal('');
  const job = jobs.value.find(one => one.jobid === jobid);
  const progress = job === undefined ? '' : `${job.jobstatus} ${job.progress}`;
  const { value, failure } = useReading(async () => {
    const [told, results] = await Promise.all([
      ask('queryAsyncJobResult', { jobid }),
      list('listCommandResults', { jobid, outcome: outcome.value || undefined, pagesize: RESULTS }),
    ]);
    return { told, results };
  }, [jobid, progress, outcome.value]);
  const known = value.value;
  if (known === undefined) {
    return failure.value === undefined ? <p role="status">Reading …</p> : <Failure text={failure.value} />;
  }
  const { results } = known;
  const told: Job = job ?? known.told;
  const summary = summaryOf(known.told);
  return (
    <>
      <div class="row">
        <h1>A command{told.commands && `: ${told.commands}`}</h1>
        <JobState job={told} />
        <a class="grow" href={hrefOf('commands')}>
          All commands
        </a>
      </div>
      <section class="panel stack" aria-label="The command">
        <Facts
          facts={[
            ['sent', <At key="at" at={told.created} />],
            ['by', told.createdby],
            ['how far', lookOf(told).howFar],
            ['ended', <Ago key="ended" at={told.completed} />],
            ...Object.entries(summary ?? {}).map(([name, count]) => [name, count.toLocaleString('en-US')] as const),
          ]}
        />
        {isOperator.value && isUnderWay(told) && (
          <Action
            label="Cancel"
            kind="danger"
            question="Agents that have not got it do not get it any more; those that have are asked to end it."
            perform={async () => (await ask('cancelCommand', { jobid })).displaytext}
          />
        )}
      </section>
      <section class="panel stack" aria-labelledby="results">
        <div class="row">
          <h2 id="results">Results</h2>
          <span class="choice">
            {['', 'answered', 'unsupported', 'refused', 'cancelled', 'unknown'].map(one => (
              <button
                key={one}
                type="button"
                aria-pressed={outcome.value === one}
                onClick={() => (outcome.value = one)}
              >
                {one || 'All'}
              </button>
            ))}
          </span>
          <span class="muted small">
            {results.count > RESULTS ? `the first ${RESULTS.toLocaleString('en-US')} of ` : ''}
            {results.count.toLocaleString('en-US')}
          </span>
        </div>
        <Failure text={failure.value} />
        <Results results={results.items} />
      </section>
    </>
  );
}

function Results({ results }: { readonly results: readonly Result[] }) {
  const kindOf = ({ outcome, result }: Result) => (result === false ? 'bad' : (OUTCOMES[outcome] ?? 'bad'));
  return (
    <Table
      label="Results"
      items={results}
      keyOf={({ hostid }) => hostid}
      empty="No agent has this outcome."
      columns={[
        { name: 'agent', isShort: true, cell: ({ hostid, hostname }) => <AgentLink id={hostid} name={hostname} /> },
        { name: 'outcome', isShort: true, cell: one => <span class={`tag ${kindOf(one)}`}>{one.outcome}</span> },
        {
          name: 'took',
          isNumber: true,
          cell: ({ durationms }) => (typeof durationms === 'number' ? `${durationms} ms` : ''),
        },
        { name: 'server', isShort: true, cell: ({ managementservername }) => managementservername },
        {
          name: 'answer',
          cell: ({ reason, answers }) => (
            <>
              {reason}
              {answers && (
                <details>
                  <summary>{brief(answers)}</summary>
                  <pre>{pretty(answers)}</pre>
                </details>
              )}
            </>
          ),
        },
      ]}
    />
  );
}

const BRIEF = 110;

function brief(answers: string): string {
  return answers.length > BRIEF ? `${answers.slice(0, BRIEF)} …` : answers;
}

function pretty(answers: string): string {
  try {
    return JSON.stringify(JSON.parse(answers), undefined, 2);
  } catch {
    return answers;
  }
}
