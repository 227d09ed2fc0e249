import { FAULT_FORMS, FAULT_WORDS, FaultError } from '../faults/fault.js';

/** What an operator's commands do. */
export interface Commanded {
  /** Does a fault. @returns what it was done to; undefined when that is said elsewhere @throws FaultError */
  fault(text: string): string | undefined;
  /** Ends all faults that last. @returns how many */
  heal(): number;
  /** How the fleet is, in one line. */
  status(): string;
  quit(): void;
}

/** One line of an operator. @returns what to say to it; undefined when there is nothing to say */
export function answerTo(line: string, commanded: Commanded): string | undefined {
  const text = line.trim();
  switch (text) {
    case '':
      return undefined;
    case 'help':
    case '?':
      return helpText();
    case 'status':
      return commanded.status();
    case 'heal':
      return `ended: ${commanded.heal()}`;
    case 'quit':
      commanded.quit();
      return undefined;
  }
  try {
    const done = commanded.fault(text);
    return done === undefined ? undefined : `${text}: done ${done}`;
  } catch (error) {
    if (error instanceof FaultError) return `${error.message}; "help" has all`;
    throw error;
  }
}

const OTHERS = [
  ['heal', 'ends all faults that last'],
  ['status', 'says how the fleet is'],
  ['quit', 'stops the fleet, as Ctrl-C does'],
] as const;

function helpText(): string {
  const forms = [...FAULT_FORMS, ...OTHERS];
  const width = Math.max(...forms.map(([form]) => form.length));
  return [
    ...forms.map(([form, meaning]) => `  ${form.padEnd(width)}  ${meaning}`),
    ...FAULT_WORDS.map(([word, form]) => `  ${word}: ${form}`),
  ].join('\n');
}
