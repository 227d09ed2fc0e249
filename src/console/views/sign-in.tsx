import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { begin } from '../live.js';
import { signIn } from '../session.js';

export function SignIn() {
  const failure = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  useEffect(() => {
    document.title = 'Sign in – Muster';
    document.querySelector('input')?.focus();
  }, []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    isBusy.value = true;
    failure.value = undefined;
    const outcome = await signIn(text('apiKey'), text('secretKey'));
    isBusy.value = false;
    if (typeof outcome === 'string') failure.value = outcome;
    else begin(outcome);
  };
  return (
    <main class="door">
      <form class="panel" onSubmit={event => void submit(event)}>
        <div class="stack">
          <h1>Muster</h1>
          <p class="muted">
            Sign in to {location.hostname} with a key pair of the API: that in <span class="mono">cloudstack.ini</span>{' '}
            in the server’s <span class="mono">data.dir</span>, or one that <span class="mono">createApiKey</span> has
            made.
          </p>
        </div>
        <label class="field">
          Key
          <input name="apiKey" autocomplete="username" required spellcheck={false} />
        </label>
        <label class="field">
          Secret
          <input name="secretKey" type="password" autocomplete="current-password" required />
        </label>
        <div class="row">
          <button class="primary" type="submit" disabled={isBusy.value}>
            Sign in
          </button>
        </div>
        <p role="alert" class="bad">
          {failure.value}
        </p>
      </form>
    </main>
  );
}
