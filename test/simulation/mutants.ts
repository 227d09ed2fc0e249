import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../helpers/root.js';

/** A deliberate fault in a copy of the program. */
export interface Mutant {
  readonly name: string;
  /** A file of `src`. */
  readonly file: string;
  /** What it has exactly once, and what it gets in its place. */
  readonly from: string;
  readonly to: string;
  /** It keeps in memory what is over: the world of `leaks.ts` has to find it. */
  readonly isLeak?: boolean;
}

/** The file with the fault. @throws Error: the program has changed, and the mutant has not */
export function mutated({ name, file, from, to }: Mutant): string {
  const parts = readFileSync(join(ROOT, 'src', file), 'utf8').split(from);
  if (parts.length !== 2)
    throw new Error(`the mutant "${name}" does not fit: src/${file} has its text ${parts.length - 1} times`);
  return parts.join(to);
}

/** Faults that the simulation has to find. A program that changes changes them, too. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'an answer goes to whoever has asked first',
    file: 'protocol/link.ts',
    from: 'isRequest(header) ? undefined : this.#pending.get(header.sequence)',
    to: 'isRequest(header) ? undefined : [...this.#pending.values()][0]',
  },
  {
    name: 'the epoch of a host is not compared',
    file: 'mgmt/store/sql/hosts/ownership.ts',
    from: 'if (row === undefined || row.epoch !== epoch || row.mgmt_server_id !== msid) return false;',
    to: 'if (row === undefined) return false;',
  },
  {
    name: 'a file is renamed before it is synced',
    file: 'lib/files/atomic-file.ts',
    from: '    await file.sync();\n',
    to: '',
  },
  {
    name: 'a file is synced only when its new name is',
    file: 'lib/files/atomic-file.ts',
    from: '      await writeSynced(temporary, data, { disk, finish: file => setOwnership(file, ownership) });\n      await disk.rename(temporary, target);\n',
    to: "      const late = await disk.open(temporary, 'wx', 0o600);\n      await late.writeFile(data);\n      await disk.rename(temporary, target);\n      await syncFolder(folder);\n      await late.sync();\n      await late.close();\n",
  },
  {
    name: 'a file is written in its place',
    file: 'lib/files/atomic-file.ts',
    from: '      await writeSynced(temporary, data, { disk, finish: file => setOwnership(file, ownership) });\n      await disk.rename(temporary, target);\n',
    to: "      const own = await disk.open(target, 'w', 0o600);\n      await own.writeFile(data);\n      await own.sync();\n      await own.close();\n",
  },
  {
    name: 'the backoff begins anew with each TCP connection',
    file: 'agent/agent-step.ts',
    from: 'return onDialConnected(state, event.id);',
    to: 'return onDialConnected({ ...state, failures: 0, failedCycles: 0 }, event.id);',
  },
  {
    name: 'the list of servers to avoid is ignored',
    file: 'agent/host-cycler.ts',
    from: 'const wanted = rotated.filter(host => !avoid.includes(host));',
    to: 'const wanted = rotated.filter(host => avoid.length >= 0 || host !== "");',
  },
  {
    name: 'the version of the configuration is read behind its rows',
    file: 'mgmt/agents/poller.ts',
    from: '    const state = await store.configurationState();\n    const isRevoking = await revocations.follow(state.revocation);\n    const isDropping = await ca.follow(state.authorities);\n    if (isRevoking || isDropping) server.endRevoked();\n    if (state.version === lists.configuration.version) await this.#readHosts(lists.configuration);\n    else {\n      const stored = await store.configuration();\n',
    to: '    const rows = await store.configuration();\n    const state = await store.configurationState();\n    const isRevoking = await revocations.follow(state.revocation);\n    const isDropping = await ca.follow(state.authorities);\n    if (isRevoking || isDropping) server.endRevoked();\n    if (state.version === lists.configuration.version) await this.#readHosts(lists.configuration);\n    else {\n      const stored = { ...rows, version: state.version };\n',
  },
  {
    name: 'a job that was begun, and whose reply was lost, is never run',
    file: 'mgmt/jobs/job-runner.ts',
    from: 'for (const job of running) this.#begin(job);',
    to: 'void running;',
  },
  {
    name: 'a command is carried out once more when it is asked for again',
    file: 'agent/commands/command-state.ts',
    from: "    case 'writing':\n    case 'running':\n      return step(state);\n    case 'finished':\n      return step(state, {",
    to: "    case 'writing':\n    case 'running':\n      return step({ kind: 'running', isWanted: true }, { kind: 'run' });\n    case 'finished':\n      return step(state, {",
  },
  {
    name: 'a command begins before its id is on disk',
    file: 'agent/commands/command-state.ts',
    from: "return step({ kind: 'writing' }, { kind: 'write', record: { kind: 'started', id } });",
    to: "return step({ kind: 'running', isWanted: true }, { kind: 'run' });",
  },
  {
    name: 'a certificate may be used for any guid',
    file: 'mgmt/agents/newcomers.ts',
    from: "if (identity.kind !== 'host' || identity.uuid === uuid) return undefined;",
    to: "if (identity.kind !== '' || identity.uuid === uuid) return undefined;",
  },
  {
    name: 'links with a revoked certificate stay',
    file: 'mgmt/agents/agent-server.ts',
    from: '      if (objection === undefined) continue;\n',
    to: '      if (objection !== "") continue;\n',
  },
  {
    name: 'what could not be written counts as written',
    file: 'mgmt/hosts/ownership.ts',
    from: 'if (isAway(error) || this.#stopped) return;',
    to: 'if (isAway(error) || this.#stopped) {\n        for (const one of writing) this.#written(one);\n        return;\n      }',
  },
  {
    name: 'hosts are not reconciled',
    file: 'mgmt/hosts/host-reconciler.ts',
    from: '    const { clock, links } = this.#parts;\n    let compared = 0;',
    to: '    const { clock, links } = this.#parts;\n    if (clock.now() >= 0) return;\n    let compared = 0;',
  },
  {
    name: 'agents are not told of another list',
    file: 'mgmt/lists/propagation.ts',
    from: 'if (!this.#isComparing) void this.#compareAll();',
    to: '',
  },
  {
    name: 'a port that was closed stays closed',
    file: 'mgmt/agents/agents-port.ts',
    from: '        await this.#open();\n        this.#failure = undefined;\n',
    to: '        this.#failure = undefined;\n',
  },
  {
    name: 'a move ends the old link first',
    file: 'agent/steps/moves.ts',
    from: "      kind: 'dial',\n      id: dial.id,\n      host,\n      unlike:",
    to: "      kind: 'give-up',\n      id: link.id,\n      why: 'a move',\n    },\n    {\n      kind: 'dial',\n      id: dial.id,\n      host,\n      unlike:",
  },
  {
    name: 'commands whose answer was lost count as not sent',
    file: 'mgmt/commands/send-state.ts',
    from: "if (!hasIds || reply.isRepeatable === false) return over({ kind: 'unknown', reason: reply.reason });",
    to: "if (reply.reason !== '') return over({ kind: 'refused', reason: reply.reason });",
  },
  {
    name: 'of two agents with one guid the newcomer gets it',
    file: 'mgmt/hosts/claimant.ts',
    from: 'return newcomer.instanceId !== established.instanceId;',
    to: "return newcomer.instanceId === '';",
  },
  {
    name: 'a certificate that a server refuses in words never gives way to a token',
    file: 'agent/server-link.ts',
    from: "if (error instanceof StartupRefusedError && hasCertificate) return 'unsaid';",
    to: '',
  },
  {
    name: 'what waits between two calls to the store outlives the server',
    file: 'mgmt/store/pause.ts',
    from: 'await delay(clock, ms, stopping);',
    to: 'await delay(clock, ms);',
  },
  {
    name: 'a drain before a stop rejects when the server has ended',
    file: 'mgmt/jobs/drain.ts',
    from: 'if (!stopping.aborted) log.warn(',
    to: 'if (stopping.aborted) throw error;\n    log.warn(',
  },
  {
    name: 'an agent that was asked to move loses its link',
    file: 'mgmt/jobs/move-agents.ts',
    from: '  if (answer?.fields.result === true) return undefined;',
    to: "  if (answer?.fields.result === true) attache.link.close('it was asked to move');\n  if (answer?.fields.result === true) return undefined;",
  },
  {
    name: 'a new list is not written to the file',
    file: 'agent/steps/lists.ts',
    from: "      effects.push({ kind: 'persist', changes: { host: text } });",
    to: '',
  },
  {
    name: 'a link that a later one has replaced takes the host back',
    file: 'mgmt/store/sql/hosts/ownership.ts',
    from: 'isElsewhere && isSameProcess && isLater',
    to: 'isElsewhere && isSameProcess && isLater && row.epoch < 0',
  },
  {
    name: 'the way back takes ten check intervals',
    file: 'agent/steps/check.ts',
    from: 'const wantedMs = input.rules.checkIntervalMs ?? check.intervalMs;',
    to: 'const wantedMs = 10 * (input.rules.checkIntervalMs ?? check.intervalMs);',
  },
  {
    name: 'a handshake with another server outlives the server',
    file: 'mgmt/cluster/links/server-links.ts',
    from: "    signal.addEventListener('abort', abandon, { once: true });\n",
    to: '',
  },
  {
    name: 'a job that waits for an agent outlives the server',
    file: 'mgmt/jobs/host-jobs.ts',
    from: '      await delay(clock, LOOK_MS, stopping);\n      stopping.throwIfAborted();\n      const row',
    to: '      await delay(clock, LOOK_MS);\n      const row',
  },
  {
    name: 'a host that another server has had since is taken back unasked',
    file: 'mgmt/hosts/reconcile.ts',
    from: 'wasTaken && own.answeredEpoch !== row.epoch ? ',
    to: 'wasTaken && row.epoch < 0 ? ',
  },
  {
    name: 'the row of a host that another agent claims is not read anew',
    file: 'mgmt/agents/guid-guard.ts',
    from: '      if (this.#isAnotherThanKnown(guid, newcomer)) await lookAgain();\n',
    to: '',
  },
  {
    name: 'a move begins beside a link that the one before it has left',
    file: 'agent/steps/moves.ts',
    from: '{ ...settled, retiring: id }',
    to: '{ ...settled, retiring: undefined }',
  },
  {
    name: 'a batch of outcomes waits when its job is left',
    file: 'mgmt/commands/command-run.ts',
    from: '    else await this.#writer.end().catch(() => {});\n    return undefined;',
    to: '    return undefined;',
  },
  {
    name: 'the end of a link whose host was removed is waited for when the server stops',
    file: 'mgmt/agents/poller.ts',
    from: 'MGMT_LIMITS.removedLinkMs, this.#stopping.signal)',
    to: 'MGMT_LIMITS.removedLinkMs)',
  },
  {
    name: 'a drain ends links on which Ready is being answered',
    file: 'mgmt/agents/agent-server.ts',
    from: "      if (stage === 'arriving') unanswered.push(link);\n      else if (stage",
    to: '      if (stage',
  },
  {
    name: 'what an earlier link says of hosts is taken',
    file: 'agent/agent-step.ts',
    from: 'return isCurrent(state, event.id) ? onUpdate(state, event.update, input, event.checkNow) : [state];',
    to: 'return onUpdate(state, event.update, input, event.checkNow);',
  },
  {
    name: 'agents are not told of another check interval alone',
    file: 'mgmt/lists/agent-list.ts',
    from: '    held.checkIntervalSeconds === list.checkIntervalSeconds &&\n',
    to: '',
  },
  {
    name: 'the journal of commands is not synced',
    file: 'agent/commands/journal-disk.ts',
    from: '      await file.datasync();\n',
    to: '',
  },
  {
    name: 'links of a host that has left stay in memory',
    file: 'mgmt/agents/attache-registry.ts',
    from: '    this.#links.delete(attache.host.id);\n',
    to: '',
  },
  {
    name: 'an equal list stays one of the configuration that it was made from',
    file: 'mgmt/lists/propagation.ts',
    from: '      agent.held = list;\n      // What',
    to: '      // What',
  },
  {
    name: 'a host that was removed before its link ended stays in memory',
    file: 'mgmt/hosts/host-presence.ts',
    from: '    if (this.#byId(id) === undefined) this.forget(id);\n',
    to: '',
    isLeak: true,
  },
  {
    name: 'what was written of a host that has left stays in memory',
    file: 'mgmt/hosts/ownership.ts',
    from: 'this.#entries.delete(entry.hostId);',
    to: 'this.#dirty.delete(entry);',
    isLeak: true,
  },
  {
    name: 'an agent keeps the sessions that have ended',
    file: 'agent/agent.ts',
    from: '      this.#sessions.delete(event.id);\n',
    to: '',
    isLeak: true,
  },
  {
    name: 'a drain leaves a signal to the server that stops',
    file: 'lib/abort.ts',
    from: 'const any = new AbortController();',
    to: 'const any = { signal: AbortSignal.any([...signals]), abort: (_why: unknown) => {} };',
    isLeak: true,
  },
];
