// A program of a team: an HTTP endpoint of SNS that verifies every message with sns-validator,
// confirms subscriptions, and prints what became of each message as a line of JSON. The first line
// is its URL.
//
//   CERT_HOST_PATTERN   hosts that certificates may come from; default: sns-validator's own
//   CERT_PROXY_PORT     where 127.0.0.1 answers for every HTTPS host, as a DNS alias would have it
import http from 'node:http';
import https from 'node:https';

import MessageValidator from 'sns-validator';

const { CERT_HOST_PATTERN, CERT_PROXY_PORT } = process.env;
if (CERT_PROXY_PORT) {
  https.globalAgent = new https.Agent({ host: '127.0.0.1', port: CERT_PROXY_PORT });
}
const validator = CERT_HOST_PATTERN
  ? new MessageValidator(new RegExp(CERT_HOST_PATTERN))
  : new MessageValidator();

const say = (what) => console.log(JSON.stringify(what));

const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  validator.validate(Buffer.concat(chunks).toString(), (error, message) => {
    if (error) {
      say({ refused: error.message });
      response.writeHead(403).end();
      return;
    }
    if (message.Type === 'SubscriptionConfirmation') {
      http.get(message.SubscribeURL, (answer) => {
        answer.resume();
        say({ confirmed: message.TopicArn, status: answer.statusCode });
      });
    } else {
      say({ verified: message });
    }
    response.writeHead(200).end();
  });
});
server.listen(0, '127.0.0.1', () => say(`http://127.0.0.1:${server.address().port}/sns`));
