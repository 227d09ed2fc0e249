/** Every bound of the wire, in one place. Names end in their unit. `docs/limits.md` shows the reasons. */
export const LIMITS = {
  /** Bytes of a frame's payload. Link.java: 18000. The largest that CloudStack sends is 16413. */
  frameBytes: 18_000,
  /** Bytes of a raw TLS record during the handshake: RFC 5246 §6.2.3, 2^14 + 2048, and its header. */
  recordBytes: 5 + 2 ** 14 + 2048,
  /** Bytes of a packet, and of its unpacked body, before the link is Ready. */
  packetBytesBeforeReady: 2 ** 16,
  /** Bytes of a packet, and of its unpacked body, on a Ready link, unless `packet.max` says otherwise. */
  packetBytes: 4 * 2 ** 20,
  /** Agent: the most that a server's `packet.max` changes it to. */
  packetBytesAtMost: 2 ** 26,
  /** Agent: the most that a server's `spreadMs` makes it wait before it dials another one. */
  spreadAtMostMs: 60_000,
  /** Bytes of unfinished and unsent packets that all links before Ready may hold together. */
  allBytesBeforeReady: 2 ** 26,
  /** Likewise, all Ready links. */
  allBytesReady: 3 * 2 ** 26,
  /** Bodies of this many bytes or more travel gzipped. */
  gzipFromBytes: 8192,
  /** How deep a body's JSON may nest. */
  bodyDepth: 100,
  /** Values in a body's JSON before the link is Ready. */
  bodyValuesBeforeReady: 10_000,
  /** Values in a body's JSON on a Ready link. A few kB of gzip can hold millions of empty objects. */
  bodyValues: 200_000,
  /** Messages in a body. Each command is answered, and the answer is longer than the shortest command. */
  bodyMessages: 1_000,
  /** Digits of an integer that becomes a bigint: those of a Java `long`. A longer one stays text. */
  integerDigits: 19,
  /** Packets of one link that are ignored: those of an unknown version, too short ones, empty ones. */
  ignoredPackets: 100,
  /** Unpacked bytes of one link that are read in a second … */
  readBytesPerSecond: 2 ** 20,
  /** … and at once, after a time of silence. */
  readBytesAtOnce: 8 * 2 ** 20,
  /** Packets of one link that are read in a second … */
  readPacketsPerSecond: 200,
  /** … and at once, after a time of silence. */
  readPacketsAtOnce: 400,
  /** Each frame counts as this many bytes at least: tiny frames cost as much work as others. */
  frameCostBytes: 256,
  /** Each value of a body counts as so many bytes beside its own: values are work, and gzip makes many of few bytes. */
  valueCostBytes: 32,
  /** Likewise each message behind the first of a packet: the rate of packets bounds the first ones. */
  messageCostBytes: 4096,
  /** Bytes that may wait for a peer that does not read. With more, the link closes instead of taking another packet. */
  queuedBytes: 4 * 2 ** 20,
  /** Requests of one link that may wait for their answers. */
  pendingRequests: 1000,
  /** Agent: requests of one link that are in progress. */
  requestsInProgress: 1000,
  /** Agent: commands with an id whose answers are kept until a server confirms them. */
  commandsKept: 1000,
  /** Agent: bytes of these answers. */
  commandBytesKept: 16 * 2 ** 20,
  /** Agent: ids of commands that are remembered, with the answers or without. */
  commandIdsKept: 20_000,
  /** Agent: the longest time for which an id may be given, and for which answers are kept. */
  commandMemoryMs: 60 * 60_000,
  /** Agent: how long a packet with an id may be under way. An id is remembered for so much longer. */
  commandDelayMs: 60_000,
  /** Agent: bytes of kept answers in one packet; answers that are larger travel alone. */
  keptBatchBytes: 2 ** 20,
  /** Agent: ids in one packet of kept answers. */
  keptBatchCommands: 100,
  /** Agent: between two packets that say the same of kept answers. */
  keptAgainMs: 60_000,
  /** Agent: how long a doctor takes that a server has asked for; a shorter `wait` of its command counts instead. */
  doctorMs: 45_000,
  /** Agent: doctors that wait for the one that runs. */
  doctorsWaiting: 8,
  /** Agent: hosts that a doctor dials at the same time. */
  doctorDials: 8,
  /** Agent: findings of a doctor in its answer. */
  doctorFindings: 300,
  /** Agent: characters of each text in them. */
  doctorTextLength: 500,
  /** Agent: bytes of what the resource adds to a ping. */
  pingReportBytes: 32_768,
  /** Agent: how long a ping waits for it. */
  pingReportMs: 1_000,
  /** Agent: between two pings that are sent out of turn. */
  pushGapMs: 1_000,
  /** Agent: likewise, when nothing but the progress of commands is to be said. */
  progressGapMs: 5_000,
  /** Agent: the lookup of a name. */
  lookupMs: 3_000,
  /** Agent: addresses that are kept for one name. */
  addressesPerName: 32,
  /** Agent: names whose addresses are kept. */
  knownNames: 512,
  /** Agent: from the name lookup to the TCP connection; for each further address of the name, its TCP connection. */
  connectMs: 5_000,
  /** Agent, while it has no Ready link: between the starts of two TCP connections. */
  connectStaggerMs: 250,
  /** Agent: from Startup to StartupAnswer. */
  startupAnswerMs: 30_000,
  /** Agent: from StartupAnswer to Ready. CloudStack's server may set up storage in between. */
  readyMs: 15 * 60_000,
  /** Agent: likewise, while no other link of it is well and another host may be. */
  readyWithOthersMs: 60_000,
  /** Server: from the handshake to Startup. */
  startupMs: 60_000,
  /** After our FIN, how long the peer has for its own before the socket is destroyed. */
  lingerMs: 5_000,
} as const;
