import { listOf, object, optionalFlag, optionalInteger, text, textList } from './schema.js';

/**
 * The field `muster`: what only Muster's programs say to each other. CloudStack's ignore it, as they ignore every field
 * that they do not know. A peer that does not send it is treated as CloudStack's.
 */
export const inStartup = object({
  version: text,
  /** Random, one for each process. It distinguishes two agents with one guid from one agent that moves. */
  instanceId: text,
  /** Which of the process's links it is: each later one has a greater number. Never negative. */
  link: optionalInteger,
  /** How many links the process has lost. */
  failovers: optionalInteger,
  /** Why it lost the last one; missing when it has left that one for another since. */
  lastLoss: text,
  /** Why it comes: of `AGENT_MOVE_KINDS`. It may have changed by its Ready. */
  moveKind: text,
  /** The enrolment token, from an agent without a certificate. Sent only to a server of the CA that it names. */
  token: text,
  /** What the agent can do beyond the protocol, such as `commandIds`: it carries out each `commandId` once. */
  capabilities: textList,
});

/** Likewise. Sent only to an agent that has sent it. */
export const inReady = object({
  version: text,
  /** Unpacked bytes of one packet on this link, both ways. Missing: `LIMITS.packetBytes`. */
  packetMax: optionalInteger,
  /** When this server is lost, the agent waits a random time up to this before it dials another one, milliseconds. */
  spreadMs: optionalInteger,
  /** What the server can do beyond the protocol: of `SERVER_CAPABILITIES`. Others are ignored. */
  capabilities: textList,
});

/** Likewise. Complete in the answer to the second Ready: by then the agent knows how it has come to its server. */
export const inReadyAnswer = object({
  /** How it has come here: of `AGENT_MOVE_KINDS`. */
  moveKind: text,
  /** Why: of `AGENT_MOVE_CAUSES`. */
  moveCause: text,
  /**
   * Milliseconds without a Ready link before this one; of one that it has left because its server was silent, since it heard
   * that server last. Missing: it had none before.
   */
  gapMs: optionalInteger,
});

/** Likewise. */
export const inPing = object({
  /** Milliseconds from the last ping to its answer. */
  roundTripMs: optionalInteger,
  /** How far commands are, in the words of what carries them out. Sent only to a server that takes kept answers. */
  progress: listOf(object({ commandId: text, text })),
});

/** Likewise. In the answer to a ping, when the server would say another one in Ready by now. */
export const inPingAnswer = object({
  /** As in Ready. */
  spreadMs: optionalInteger,
});

/** Likewise. In the first command of a packet; it stands for the whole packet. */
export const inCommand = object({
  /** Names the packet: whoever sends the same commands again gives them the same one. */
  commandId: text,
  /** Milliseconds after which nobody gives this id again. */
  expiresInMs: optionalInteger,
});

/** Likewise. In every answer to a packet with an id that was not answered by what carries commands out. */
export const inAnswer = object({
  /**
   * `refused`: not carried out, and it will not be. `unknown`: perhaps carried out; nobody can say. `failed`: it was, and what
   * carries commands out has thrown, was late, or has answered nonsense; in the answer to that command alone.
   */
  outcome: text,
});

/** Likewise, between servers: from the one that cannot answer, but for `isRecall`. */
export const inCancel = object({
  /** From the server that has asked: if the agent has got the commands, it is asked to end them, and answers all the same. */
  isRecall: optionalFlag,
  /** The commands were sent to the agent: it may have carried them out. */
  isSent: optionalFlag,
  /** The agent carries out each `commandId` once. */
  isRepeatable: optionalFlag,
  /** They were not sent, and it is of no use to ask again: too many wait, or they are too large. */
  isFinal: optionalFlag,
});
