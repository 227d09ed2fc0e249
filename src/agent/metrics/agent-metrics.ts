import { type Meters, type Readings, silentMeters } from '../../metrics/meters.js';
import { counter, gauge, histogram } from '../../metrics/metric.js';
import { PROCESS_METRICS } from '../../metrics/process-metrics.js';
import { AGENT_MOVE_CAUSES, AGENT_MOVE_KINDS } from '../../protocol/index.js';

/** What an agent is doing about its link. */
export const AGENT_PHASES = ['waiting', 'joining', 'up', 'moving', 'settling', 'idle'] as const;

/** How a dial has ended. */
const DIAL_RESULTS = ['ready', 'agent-refused', 'connection-refused', 'enrolled', 'same-server', 'other'] as const;
export type DialResult = (typeof DIAL_RESULTS)[number];

/** What an agent shows, beside its process. */
export const AGENT_OWN_METRICS = {
  ready: gauge({
    name: 'muster_agent_link_ready',
    help: '1 while the agent has a Ready link',
    unit: '0 or 1',
    labels: {},
    alert: {
      when: 'muster_agent_link_ready == 0',
      means: 'For 5 minutes: no server reaches this host; its log says why.',
    },
  }),
  preferred: gauge({
    name: 'muster_agent_link_preferred',
    help: '1 while the Ready link leads to the first server of the list',
    unit: '0 or 1',
    labels: {},
    alert: {
      when: 'avg(muster_agent_link_preferred) < 0.9',
      means: 'For an hour: many agents are not on their preferred servers; muster_agents_astray says why.',
    },
  }),
  phase: gauge({
    name: 'muster_agent_phase',
    help: '1 for what the agent is doing about its link, 0 for all else',
    unit: '0 or 1',
    labels: { phase: AGENT_PHASES },
    alert: {
      when: 'muster_agent_phase{phase="idle"} == 1',
      means: 'The agent does not dial: its host was removed, or a server has shut it down.',
    },
  }),
  listHosts: gauge({
    name: 'muster_agent_list_hosts',
    help: 'Servers in the list of the agent',
    unit: 'servers',
    labels: {},
    alert: { when: 'muster_agent_list_hosts < 2', means: 'The host has nowhere to go when its server dies.' },
  }),
  avoided: gauge({
    name: 'muster_agent_avoided_hosts',
    help: 'Addresses that the agent is told not to dial',
    unit: 'addresses',
    labels: {},
    alert: {
      when: 'muster_agent_avoided_hosts > 0',
      means: 'For a day: a maintenance was not ended, or the agent is told nothing any more.',
    },
  }),
  listChanges: counter({
    name: 'muster_agent_list_changes_total',
    help: 'Lists that differed from the one before, since the agent’s start',
    unit: 'lists',
    labels: {},
    alert: {
      when: 'increase(muster_agent_list_changes_total[1h]) > 10',
      means: 'Somebody changes the configuration again and again, or servers do not agree about it.',
    },
  }),
  gapSeconds: histogram({
    name: 'muster_agent_own_gap_seconds',
    help: 'How long the agent had no Ready link, by how the link was lost',
    unit: 'seconds',
    labels: { cause: AGENT_MOVE_CAUSES },
    buckets: [0, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900],
    alert: {
      when: 'increase(muster_agent_own_gap_seconds_sum[1h]) > 60',
      means: 'The host was unreachable for more than a minute of the last hour.',
    },
  }),
  moves: counter({
    name: 'muster_agent_moves_total',
    help: 'Ready links by how and why they came to be',
    unit: 'moves',
    labels: { kind: AGENT_MOVE_KINDS, cause: AGENT_MOVE_CAUSES },
    alert: {
      when: 'increase(muster_agent_moves_total{kind!="connect"}[1h]) > 6',
      means: 'The agent goes to and fro: the network, or a server that is up by halves.',
    },
  }),
  losses: counter({
    name: 'muster_agent_links_lost_total',
    help: 'Ready links that were lost while there was no other, by how',
    unit: 'links',
    labels: { how: ['closed', 'reset', 'silent', 'failed'] },
    alert: {
      when: 'increase(muster_agent_links_lost_total[1h]) > 3',
      means: 'The network between this host and its servers drops links.',
    },
  }),
  dials: counter({
    name: 'muster_agent_dials_total',
    help: 'Dials by their result; those that were given up for a better one are not counted',
    unit: 'dials',
    labels: { result: DIAL_RESULTS },
    alert: {
      when: 'increase(muster_agent_dials_total{result="agent-refused"}[15m]) > 0',
      means: 'A server refuses this host: two agents with one guid, a wrong zone, or a certificate.',
    },
  }),
  pingSeconds: histogram({
    name: 'muster_agent_ping_round_trip_seconds',
    help: 'From a ping to its answer',
    unit: 'seconds',
    labels: {},
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15],
    alert: {
      when: 'rate(muster_agent_ping_round_trip_seconds_sum[10m]) / rate(muster_agent_ping_round_trip_seconds_count[10m]) > 1',
      means: 'The server, or the network to it, is slow.',
    },
  }),
  suspects: counter({
    name: 'muster_agent_server_suspect_total',
    help: 'How often the server had not answered for `ping.answer.timeout`; once more each time that it has not since',
    unit: 'times',
    labels: {},
    alert: {
      when: 'increase(muster_agent_server_suspect_total[1h]) > 3',
      means: 'Packets to its server get lost, or the server stands still.',
    },
  }),
  certificateEnds: gauge({
    name: 'muster_agent_certificate_expiry_timestamp_seconds',
    help: 'When the agent’s certificate ends; left out when it has none',
    unit: 'seconds since 1970',
    labels: {},
    alert: {
      when: 'muster_agent_certificate_expiry_timestamp_seconds - time() < 10 * 86400',
      means: 'It was not renewed: listAgentLinks expiring=true says why.',
    },
  }),
} as const;

/** All that an agent shows: the source of `docs/metrics.md`. */
export const AGENT_METRICS = { ...AGENT_OWN_METRICS, ...PROCESS_METRICS } as const;

/** What an agent counts with. */
export type AgentMeters = Meters<typeof AGENT_OWN_METRICS>;

/** What an agent shows when it is asked. */
export type AgentReadings = Readings<typeof AGENT_OWN_METRICS>;

/** Nobody reads them. */
export const SILENT_AGENT_METERS: AgentMeters = silentMeters(AGENT_OWN_METRICS);
