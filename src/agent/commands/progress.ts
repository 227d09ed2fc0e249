import { peerText } from '../../lib/text/peer-text.js';

/** How far a command with an id is. */
export interface Progress {
  readonly commandId: string;
  readonly text: string;
}

/** Of so many commands a ping says how far they are. */
const MOST = 100;

/** What commands in progress have said last of how far they are. */
export class CommandProgress {
  readonly #texts = new Map<string, string>();
  readonly #onChange: () => void;

  /** @param onChange is called when one has said something new */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  say(commandId: string, text: string): void {
    const said = peerText(text);
    if (this.#texts.get(commandId) === said || (this.#texts.size >= MOST && !this.#texts.has(commandId))) return;
    this.#texts.set(commandId, said);
    this.#onChange();
  }

  end(commandId: string): void {
    this.#texts.delete(commandId);
  }

  get all(): readonly Progress[] {
    return Array.from(this.#texts, ([commandId, text]) => ({ commandId, text }));
  }
}
