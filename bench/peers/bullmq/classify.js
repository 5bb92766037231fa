// What is decided about one complaint: category by weight, urgency, kind, tags, place, deadlines.
import { normalise } from './rules.js';

const RANK = { blue: 0, yellow: 1, red: 2 };
const EVIDENCE_MAX = 32;

// The score of every rule that something was found for, and the first of what was found.
function search(rules, title, text) {
  const scores = new Map();
  const evidence = [];
  const onUse = ({ word, rule, weight }) => {
    scores.set(rule, (scores.get(rule) ?? 0) + weight);
    if (evidence.length < EVIDENCE_MAX) evidence.push({ target: rule.name, word, weight });
  };
  rules.text.scan(text, onUse);
  if (title.length > 0) rules.title.scan(title, onUse);
  for (const use of rules.regexes) {
    if (use.regex.test(text)) onUse(use);
  }
  return { scores, evidence };
}

// The best path of the first level with the highest sum.
function categorise(scores) {
  const firsts = new Map();
  for (const [rule, score] of scores) {
    if (rule.what !== 'category') continue;
    const first = firsts.get(rule.first) ?? { total: 0, rule: null, most: -Infinity };
    first.total += score;
    if (score > first.most) {
      first.most = score;
      first.rule = rule;
    }
    firsts.set(rule.first, first);
  }
  let best = null;
  for (const first of firsts.values()) {
    if (best === null || first.total > best.total) best = first;
  }
  return best;
}

function urge(scores, text) {
  let found = null;
  for (const rule of scores.keys()) {
    if (rule.what !== 'urgency') continue;
    if (found !== null && RANK[rule.name] <= RANK[found.name]) continue;
    if (!rule.unless.some((regex) => regex.test(text))) found = rule;
  }
  return found;
}

function kindOf(scores, fallback) {
  let kind = fallback;
  let most = 0;
  for (const [rule, score] of scores) {
    if (rule.what === 'kind' && score > most) [kind, most] = [rule.name, score];
  }
  return kind;
}

function route(places, complaint, text) {
  if (complaint.grid && places.grids.has(complaint.grid)) return places.grids.get(complaint.grid);
  const match = places.regex.exec(text);
  return match === null ? places.triage : places.places.get(match[0]);
}

// Which of the worker's queues it goes into; null: the one of what is neither urgent nor about a
// special group.
function queueClass(level, special) {
  if (level === 'red' || (level === 'yellow' && special)) return 'urgent';
  return special ? 'special' : null;
}

export function decide(rules, complaint, now) {
  const title = complaint.title ? normalise(complaint.title) : '';
  const body = normalise(complaint.text);
  const text = title.length > 0 ? `${title}\n${body}` : body;
  const { scores, evidence } = search(rules, title, text);
  const best = categorise(scores);
  const urgency = urge(scores, text);
  const level = urgency?.name ?? rules.defaults.urgency;
  const tags = [];
  for (const rule of scores.keys()) {
    if (rule.what === 'tag') tags.push(rule.name);
  }
  const place = route(rules.places, complaint, text);
  const deadlines = {};
  const sla = urgency?.sla ?? best?.rule.sla ?? rules.sla.fallback;
  for (const [name, ms] of rules.sla.classes.get(sla)) deadlines[name] = now + ms;
  return {
    category: best?.rule.name ?? '',
    score: best?.total ?? 0,
    department: best?.rule.department ?? null,
    urgency: level,
    kind: complaint.kind ?? kindOf(scores, rules.defaults.kind),
    tags,
    community: place.community,
    grid: place.grid,
    assignee: place.worker,
    queue: queueClass(level, tags.includes('special_group')),
    deadlines,
    evidence,
  };
}
