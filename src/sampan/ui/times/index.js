// Times as people say them. What is drawn with `clock.now` is drawn again each second.
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
export const clock = Vue.reactive({ now: Date.now() });
setInterval(() => (clock.now = Date.now()), 1000);

export function ago(at, now) {
  const moment = Date.parse(at);
  if (Number.isNaN(moment)) return "";
  const seconds = (moment - now) / 1000, size = Math.abs(seconds);
  if (size < 5) return "just now";
  if (size < MINUTE) return relative.format(Math.round(seconds / 5) * 5, "second");
  if (size < HOUR) return relative.format(Math.round(seconds / MINUTE), "minute");
  if (size < DAY) return relative.format(Math.round(seconds / HOUR), "hour");
  return relative.format(Math.round(seconds / DAY), "day");
}

export function moment(at) {
  const parsed = Date.parse(at);
  return Number.isNaN(parsed) ? "" : exact.format(parsed);
}

export function span(start, end, now) {
  const from = Date.parse(start), to = end ? Date.parse(end) : now;
  if (Number.isNaN(from) || Number.isNaN(to)) return "";
  const seconds = Math.max(0, (to - from) / 1000);
  // Times of objects have whole seconds: what lies between two of them has no tenths.
  if (seconds < 10 && end && !start.includes(".") && !end.includes(".")) return seconds < 1 ? "< 1 s" : seconds + " s";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < MINUTE) return Math.round(seconds) + " s";
  if (seconds < HOUR) return Math.floor(seconds / MINUTE) + " min " + Math.floor(seconds % MINUTE) + " s";
  if (seconds < DAY) return Math.floor(seconds / HOUR) + " h " + Math.floor((seconds % HOUR) / MINUTE) + " min";
  return Math.floor(seconds / DAY) + " d " + Math.floor((seconds % DAY) / HOUR) + " h";
}
