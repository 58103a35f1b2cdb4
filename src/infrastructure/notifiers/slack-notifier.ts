import type { Notifier } from '../../application/delivery/notify/ports.js';
import { toSlackMessage } from '../../application/delivery/notify/slack-message.js';
import { type ChannelOptions, OUTSIDE, openChannel, postNotice, refuseProblems } from './channel.js';

export interface SlackNotifierOptions extends ChannelOptions {
  /** Of an incoming webhook: `https://hooks.slack.com/services/…`. A secret: whoever has it may post. */
  readonly webhookUrl: string;
}

/** Posts notices to the channel of a Slack incoming webhook. Slack collapses nothing: a lost answer shows twice. */
export function slackNotifier(options: SlackNotifierOptions, outside = OUTSIDE): Notifier {
  const { webhookUrl } = options;
  const channel = openChannel('slack', options, { url: webhookUrl, urlOption: 'webhookUrl', outside });
  const { name, problems, verify } = channel;
  return {
    name,
    problems,
    verify,
    send: async (notice, { signal }) => {
      refuseProblems(name, problems);
      const body = JSON.stringify(toSlackMessage(notice));
      await postNotice(channel, { url: webhookUrl, headers: JSON_BODY, body, hint: readReason }, signal);
    },
  };
}

const JSON_BODY = { 'content-type': 'application/json; charset=utf-8' };

/** Slack answers with a word such as `no_service` or `invalid_blocks`; anything else may be a proxy's page. */
function readReason({ body }: { readonly body: string }): string | null {
  return /^[a-z_]{3,60}$/.test(body) ? body : null;
}
