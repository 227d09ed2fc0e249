import { dirname } from 'node:path';
import { type Disk, systemDisk } from '../lib/files/disk.js';
import type { PropertiesDocument } from '../lib/files/properties.js';
import { Agent, type AgentParts } from './agent.js';
import { AgentProperties } from './agent-properties.js';
import { openJournal } from './commands/open-journal.js';

/** What an agent with a file is made of. */
export interface ComposeAgentParts extends Omit<AgentParts, 'properties' | 'journal'> {
  /** Path of agent.properties. The journal of commands lies beside it. */
  readonly file: string;
  /** What `readProperties` has read from it. */
  readonly document: PropertiesDocument;
  /** @default systemDisk */
  readonly disk?: Disk;
}

/** Makes an agent that keeps its properties and its journal on a disk. It is not started. */
export async function composeAgent(
  parts: ComposeAgentParts,
): Promise<{ readonly agent: Agent; readonly properties: AgentProperties }> {
  const { file, document, disk = systemDisk, clock, log } = parts;
  const properties = new AgentProperties(file, document, clock, log, disk);
  const journal = await openJournal(dirname(file), { clock, log, disk });
  // Not by a spread: V8 gives an object that is made of one a description of its own, and agents are many in a fleet.
  const all: AllParts = {
    settings: parts.settings,
    properties,
    guid: parts.guid,
    resource: parts.resource,
    journal,
    trust: parts.trust,
    dialer: parts.dialer,
    folder: parts.folder,
    clock,
    random: parts.random,
    log,
    pingIntervalMs: parts.pingIntervalMs,
    meters: parts.meters,
  };
  return { agent: new Agent(all), properties };
}

/** A part that is added to an agent's is not forgotten above. */
type AllParts = { readonly [Key in keyof Required<AgentParts>]: AgentParts[Key] };
