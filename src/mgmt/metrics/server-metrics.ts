import { type Meters, type Readings, silentMeters } from '../../metrics/meters.js';
import { counter, gauge, histogram } from '../../metrics/metric.js';
import { PROCESS_METRICS } from '../../metrics/process-metrics.js';
import { HOST_STATUSES, MOVE_CAUSES, MOVE_KINDS } from '../store/store.js';

/** How far a connection is that is no Ready link. */
export const CONNECTION_STAGES = ['waiting', 'handshake', 'new', 'registering', 'arriving'] as const;
/** What an agent that becomes Ready has spent its time with, in this order. */
const READY_STAGES = ['handshake', 'startup', 'register', 'ready'] as const;
/** How the TLS handshake of a connection has ended. */
const HANDSHAKE_RESULTS = ['secured', 'silent', 'closed', 'timeout', 'failed'] as const;
export type HandshakeResult = (typeof HANDSHAKE_RESULTS)[number];
/** Why a connection was closed before its agent had registered. */
const TURNED_AWAY = ['closed-port', 'crowd', 'evicted'] as const;
/** Why an agent is not on its preferred server. */
export const ASTRAY_REASONS = [
  /** That server cannot take agents: it is down, or silent. */
  'down',
  /** Agents are told to avoid it: it is in maintenance, or on its way out. */
  'avoided',
  /** No management server has the address. */
  'unknown-server',
  /** The server is well, and the agent does not check its preferred server. */
  'no-check',
  /** The server is well, and the agent goes there at its next check. */
  'returning',
] as const;
export type AstrayReason = (typeof ASTRAY_REASONS)[number];
/** How many generations of the configuration an agent is behind. */
export const GENERATIONS_BEHIND = ['0', '1', '2-9', '10+'] as const;
export type GenerationsBehind = (typeof GENERATIONS_BEHIND)[number];
/** What an agent that is asked to move has answered. */
const MOVE_ANSWERS = ['goes', 'refused', 'failed'] as const;
/** Why an agent is still on a server that is drained. */
export const LEFT_REASONS = ['not-asked', 'no-target', 'no-answer', 'stayed', 'refused', 'failed'] as const;
export type LeftReason = (typeof LEFT_REASONS)[number];
/** What becomes of commands. */
const COMMAND_OUTCOMES = ['answered', 'unsupported', 'refused', 'cancelled', 'unknown'] as const;
/** Classes of commands by their simple names; `other`: those that servers do not know. */
const COMMAND_CLASSES = [
  'GetHostStatsCommand',
  'CheckHealthCommand',
  'CheckNetworkCommand',
  'MaintainCommand',
  'AgentControlCommand',
  'SetHostParamsCommand',
  'DoctorCommand',
  'other',
] as const;
export type CommandClass = (typeof COMMAND_CLASSES)[number];
/** Whose certificate. */
export const CERTIFICATE_OWNERS = ['server', 'ca', 'agents'] as const;

/** What a host's agent may have come by; `unknown`: it is none of Muster's, and does not say. */
const ARRIVAL_KINDS = [...MOVE_KINDS.filter(kind => kind !== 'lost'), 'unknown'] as const;

const SHORT_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What a composed server shows, whatever process it is in: see `docs/metrics.md`. */
export const NODE_METRICS = {
  ready: gauge({
    name: 'muster_server_ready',
    help: '1 while this server takes agents, as /readyz says',
    unit: '0 or 1',
    labels: {},
    alert: { when: 'muster_server_ready == 0', means: 'For 10 minutes outside of maintenance: /readyz says why.' },
  }),
  connected: gauge({
    name: 'muster_agents_connected',
    help: 'Agents with a Ready link to this server',
    unit: 'agents',
    labels: {},
    alert: {
      when: 'sum(muster_agents_connected) < 0.99 * max(sum by (instance) (muster_cluster_agents))',
      means: 'For 5 minutes: agents are on no server; listHosts state=Disconnected names them.',
    },
  }),
  connections: gauge({
    name: 'muster_connections',
    help: 'Connections to the agents’ port that are no Ready links, by how far they are',
    unit: 'connections',
    labels: { stage: CONNECTION_STAGES },
    alert: {
      when: 'sum by (instance) (muster_connections) > 1000',
      means: 'For 5 minutes: agents arrive faster than they become Ready.',
    },
  }),
  clusterAgents: gauge({
    name: 'muster_cluster_agents',
    help: 'Hosts of the cluster by state, as this server knows them: what others do is known after 2 s',
    unit: 'hosts',
    labels: { state: HOST_STATUSES.filter(status => status !== 'Removed') },
    alert: {
      when: 'max(muster_cluster_agents{state="Disconnected"}) > 0',
      means: 'For 10 minutes: hosts are on no server. Those that are switched off for good: deleteHost.',
    },
  }),
  agentsOfServer: gauge({
    name: 'muster_cluster_agents_of_server',
    help: 'Hosts that are Up on each server, as this server knows them',
    unit: 'hosts',
    labels: { server: 'the address of a management server, as in host: one for each' },
    alert: {
      when: 'max by (server) (muster_cluster_agents_of_server) > 1.5 * scalar(avg(max by (server) (muster_cluster_agents_of_server)))',
      means: 'For an hour: one server has far more than its share; rebalanceAgents evens it.',
    },
  }),
  canTakeAgents: gauge({
    name: 'muster_cluster_server_takes_agents',
    help: '1 for each server that can take agents, as it looks from this server; 0 for the others',
    unit: '0 or 1',
    labels: { server: 'the address of a management server, as in host: one for each' },
    alert: {
      when: 'min by (server) (muster_cluster_server_takes_agents) == 0',
      means: 'For 5 minutes: the server is down, silent, or in maintenance.',
    },
  }),
  astray: gauge({
    name: 'muster_agents_astray',
    help: 'Agents of this server that prefer another one, by why they are not there',
    unit: 'agents',
    labels: { reason: ASTRAY_REASONS },
    alert: {
      when: 'sum(muster_agents_astray{reason=~"returning|no-check"}) > 0',
      means:
        'For an hour: agents do not go back; rebalanceAgents moves them, and listAgentLinks astray=true names them.',
    },
  }),
  behind: gauge({
    name: 'muster_agents_behind',
    help: 'Agents of this server that have not taken their newest list, by how many generations theirs is older',
    unit: 'agents',
    labels: { generations: GENERATIONS_BEHIND },
    alert: {
      when: 'sum(muster_agents_behind) > 0',
      means: 'For 10 minutes: agents do not take their lists; listAgentLinks laggards=true says why.',
    },
  }),
  propagating: gauge({
    name: 'muster_propagation_in_flight',
    help: 'Agents that are being told a changed list, or wait for their turn',
    unit: 'agents',
    labels: {},
    alert: { when: 'muster_propagation_in_flight > 0', means: 'For 10 minutes: it does not come to an end.' },
  }),
  generation: gauge({
    name: 'muster_configuration_generation',
    help: 'The generation of the configuration that this server works with',
    unit: 'generation',
    labels: {},
    alert: {
      when: 'max(muster_configuration_generation) - min(muster_configuration_generation) > 0',
      means: 'For a minute: a server does not read the store.',
    },
  }),
  drainLeft: gauge({
    name: 'muster_drain_agents_left',
    help: 'Agents that are still on this server while it is drained, by why; 0 when it is not',
    unit: 'agents',
    labels: { reason: LEFT_REASONS },
    alert: {
      when: 'sum by (instance) (muster_drain_agents_left) > 0 and sum by (instance) (delta(muster_drain_agents_left[10m])) >= 0',
      means: 'The drain is stuck: queryAsyncJobResult names the agents.',
    },
  }),
  survivor: gauge({
    name: 'muster_survivor_load_ratio',
    help: 'Agents of the fullest server, as a share of agents.capacity, if the server whose death is worst died now; left out while agents.capacity is 0, +Inf when agents would have nowhere to go',
    unit: 'ratio',
    labels: {},
    alert: {
      when: 'max(muster_survivor_load_ratio) > 1',
      means: 'The cluster does not survive the loss of any one server: add one.',
    },
  }),
  strangers: gauge({
    name: 'muster_admission_waiting',
    help: 'Connections that have not registered, of those that may be at once',
    unit: 'connections',
    labels: {},
    alert: {
      when: 'muster_admission_waiting / muster_admission_limit > 0.9',
      means: 'For a minute: a storm, or an attack; the log names the address.',
    },
  }),
  strangersAtMost: gauge({
    name: 'muster_admission_limit',
    help: 'How many such connections may be at once',
    unit: 'connections',
    labels: {},
    alert: { when: 'changes(muster_admission_limit[1h]) > 0', means: 'Somebody has changed it: listEvents says who.' },
  }),
  connectionRate: gauge({
    name: 'muster_connection_rate',
    help: 'Connections that this server can bring to Ready in a second, as far as it has measured; agents that lose it spread their dials by it',
    unit: 'connections per second',
    labels: {},
    alert: {
      when: 'muster_agents_connected / muster_connection_rate > 60',
      means:
        'One server like it needs more than a minute for all its agents: its processor or its store is slow, or it has too many.',
    },
  }),
  turnedAway: counter({
    name: 'muster_connections_turned_away_total',
    help: 'Connections that were closed before their agents had registered, by why',
    unit: 'connections',
    labels: { reason: TURNED_AWAY },
    alert: {
      when: 'rate(muster_connections_turned_away_total{reason!="closed-port"}[5m]) > 10',
      means: 'Agents have to come again: the servers are too few, or somebody attacks.',
    },
  }),
  handshakes: counter({
    name: 'muster_handshakes_total',
    help: 'TLS handshakes on the agents’ port by their result: `silent` sent no byte, `closed` went away',
    unit: 'handshakes',
    labels: { result: HANDSHAKE_RESULTS },
    alert: {
      when: 'rate(muster_handshakes_total{result="failed"}[10m]) > 1',
      means: 'Certificates do not fit, or somebody knocks: listEvents type=AGENT.CERTIFICATE.REFUSED.',
    },
  }),
  readySeconds: histogram({
    name: 'muster_ready_seconds',
    help: 'Time of agents until they were Ready, by stage: the TLS handshake, until Startup, until its answer, until Ready 2 was answered',
    unit: 'seconds',
    labels: { stage: READY_STAGES },
    buckets: SHORT_SECONDS,
    alert: {
      when: 'histogram_quantile(0.99, sum by (stage, le) (rate(muster_ready_seconds_bucket[5m]))) > 5',
      means: 'The stage names what is slow: `register` is the store, `ready` the agents.',
    },
  }),
  gapSeconds: histogram({
    name: 'muster_agent_gap_seconds',
    help: 'How long agents had no Ready link before they became Ready here, by why; as they have measured it',
    unit: 'seconds',
    labels: { cause: MOVE_CAUSES },
    buckets: [0, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900],
    alert: {
      when: 'muster:agent_gap_within_1s:ratio_rate30m < 0.95',
      means: 'The objective: 95 of 100 agents are Ready again within a second.',
    },
  }),
  moves: counter({
    name: 'muster_moves_total',
    help: 'Agents that became Ready at this server, by kind and cause: each move is counted once, where it leads to',
    unit: 'moves',
    labels: { kind: ARRIVAL_KINDS, cause: MOVE_CAUSES },
    alert: {
      when: 'sum(rate(muster_moves_total{kind="failover"}[10m])) > 0.01 * sum(muster_agents_connected) / 600',
      means: 'More than one agent in a hundred has failed over within 10 minutes.',
    },
  }),
  departures: counter({
    name: 'muster_departures_total',
    help: 'Hosts that have no link to this server any more, by why',
    unit: 'hosts',
    labels: { cause: MOVE_CAUSES },
    alert: {
      when: 'rate(muster_departures_total{cause="silent"}[10m]) > 0.1',
      means: 'A network between agents and this server drops packets.',
    },
  }),
  moveRequests: counter({
    name: 'muster_move_requests_total',
    help: 'Agents that this server has asked to move, for a drain or a rebalance, by what they answered',
    unit: 'requests',
    labels: { result: MOVE_ANSWERS },
    alert: {
      when: 'increase(muster_move_requests_total{result!="goes"}[1h]) > 0',
      means: 'Agents do not move when they are asked: the job’s result says why.',
    },
  }),
  commands: counter({
    name: 'muster_commands_total',
    help: 'Packets of commands that were sent for operators and programs, by outcome and by the class of the first command',
    unit: 'packets',
    labels: { outcome: COMMAND_OUTCOMES, class: COMMAND_CLASSES },
    alert: {
      when: 'rate(muster_commands_total{outcome="unknown"}[15m]) > 0',
      means: 'Nobody can say whether commands were carried out: listCommandResults names the hosts.',
    },
  }),
  commandSeconds: histogram({
    name: 'muster_command_seconds',
    help: 'Time from the call to the outcome',
    unit: 'seconds',
    labels: { outcome: COMMAND_OUTCOMES },
    buckets: [0.01, 0.05, 0.25, 1, 5, 15, 60, 300],
    alert: {
      when: 'histogram_quantile(0.9, sum by (le) (rate(muster_command_seconds_bucket{outcome="answered"}[15m]))) > 60',
      means: 'The resources of agents are slow.',
    },
  }),
  commandsUnderWay: gauge({
    name: 'muster_commands_under_way',
    help: 'Packets of commands that wait for their outcomes',
    unit: 'packets',
    labels: {},
    alert: { when: 'muster_commands_under_way > 1000', means: 'For 15 minutes: agents do not answer.' },
  }),
  pingSeconds: histogram({
    name: 'muster_ping_round_trip_seconds',
    help: 'From an agent’s ping to its answer, as the agent has measured it; of Muster’s agents',
    unit: 'seconds',
    labels: {},
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15],
    alert: {
      when: 'histogram_quantile(0.99, sum by (instance, le) (rate(muster_ping_round_trip_seconds_bucket[10m]))) > 1',
      means: 'This server, or the network to it, is slow.',
    },
  }),
  storeSeconds: histogram({
    name: 'muster_store_call_seconds',
    help: 'Time of the calls to the store, whether they succeed or fail',
    unit: 'seconds',
    labels: { call: 'the name of a method of the store: about a hundred' },
    buckets: [0.005, 0.025, 0.1, 0.5, 1, 2],
    alert: {
      when: 'histogram_quantile(0.99, sum by (instance, le) (rate(muster_store_call_seconds_bucket[5m]))) > 0.5',
      means: 'The database is slow: calls end after 2 s.',
    },
  }),
  storeFailures: counter({
    name: 'muster_store_failures_total',
    help: 'Calls to the store that have failed, by the code of the error',
    unit: 'calls',
    labels: { code: 'STORE_… of docs/errors.md, else `other`' },
    alert: {
      when: 'rate(muster_store_failures_total[5m]) > 0.1',
      means: 'The code says what is wrong with the database.',
    },
  }),
  storeAway: gauge({
    name: 'muster_store_away',
    help: '1 while the store does not answer this server',
    unit: '0 or 1',
    labels: {},
    alert: { when: 'muster_store_away == 1', means: 'For a minute: agents stay, and nothing can be changed.' },
  }),
  certificateEnds: gauge({
    name: 'muster_certificate_expiry_timestamp_seconds',
    help: 'When the certificate ends that ends first: of what this server shows to agents, of the CA, and of the agents that are connected here',
    unit: 'seconds since 1970',
    labels: { of: CERTIFICATE_OWNERS },
    alert: {
      when: 'muster_certificate_expiry_timestamp_seconds - time() < 10 * 86400',
      means: 'Renewal does not work, or there is none: docs/certificates.md.',
    },
  }),
} as const;

/** All that a management server shows: the source of `docs/metrics.md`. */
export const SERVER_METRICS = { ...NODE_METRICS, ...PROCESS_METRICS } as const;

/** What a server counts with. */
export type ServerMeters = Meters<typeof NODE_METRICS>;

/** What a server shows when it is asked. */
export type NodeReadings = Readings<typeof NODE_METRICS>;

/** Nobody reads them. */
export const SILENT_SERVER_METERS: ServerMeters = silentMeters(NODE_METRICS);
