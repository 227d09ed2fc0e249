// Carries out one attack in a process of its own, so that what it takes does not disturb what is measured.
// Usage: attacker.js NAME AGENTS-PORT API-PORT MILLISECONDS
import { ATTACKS, type AttackName } from './attacks.js';

const [, , name = '', port, apiPort, milliseconds] = process.argv;
/** Past its time an attack that does not end is ended. */
const GRACE_MS = 2_000;
const startedAt = performance.now();
const durationMs = Number(milliseconds);

// What the server closes is part of the attack.
process.on('unhandledRejection', () => {});
process.on('disconnect', () => process.exit());
setTimeout(() => report('did not end by itself'), durationMs + GRACE_MS);

function report(what: string): void {
  process.send?.(what, () => process.exit());
}

const { run } = ATTACKS[name as AttackName];
run({
  port: Number(port),
  apiPort: Number(apiPort),
  durationMs,
  isOver: () => performance.now() - startedAt >= durationMs,
}).then(report, error => report(String(error)));
