import t from 'tap';
import { invalidParameterText, shortErrorText } from '../../src/api/error-text.js';

t.test('error text: of an invalid value the parameter, the value and why are enough', async t => {
  const invalid = { name: 'ids', value: 'a due to b\nc', why: 'there is no host with this id, name or guid' };
  const whole = invalidParameterText('sendCommand', invalid);
  t.equal(
    whole,
    'Unable to execute API command sendcommand due to invalid value. Invalid parameter ids value=a due to b\nc due to ' +
      'there is no host with this id, name or guid',
  );
  t.equal(shortErrorText(whole), 'ids=a due to b\nc: there is no host with this id, name or guid');
  for (const other of ['there are no hosts', '']) t.equal(shortErrorText(other), other);
});
