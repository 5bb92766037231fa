// Reads the engine's own rules/ and turns them into JavaScript regexes, so that both programs look for the
// same words.
//
// Keywords are looked up by their first two characters at every place of the text. One alternation of all of them
// was measured too: with ten thousand it is many times slower, and so is a search for each.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const normalise = (text) => text.normalize('NFKC').toLowerCase();

const read = (...path) => parse(readFileSync(join(...path), 'utf8'));
const yamlFiles = (dir) => readdirSync(dir).filter((name) => name.endsWith('.yaml')).sort();
const escape = (word) => word.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

// The longest first, as an alternation takes the first that fits.
const alternation = (words, flags) =>
  new RegExp([...words].sort((a, b) => b.length - a.length).map(escape).join('|'), flags);

// { 4: [a, b], 2: [c] } or [a, b] (weight 1) -> [[a, 4], [b, 4], [c, 2]]
function weighted(source) {
  if (!source) return [];
  const groups = Array.isArray(source) ? [[1, source]] : Object.entries(source);
  return groups.flatMap(([weight, items]) => items.map((item) => [String(item), Number(weight)]));
}

// What PCRE2 and JavaScript write differently.
const compile = (pattern) => new RegExp(normalise(pattern).replaceAll('\\p{han}', '\\p{Script=Han}'), 'u');

// Finds the keywords of many rules in one pass.
class Keywords {
  constructor(entries) {
    this.uses = new Map(); // word -> who uses it
    this.starts = new Map(); // its first two characters, or the one it has -> words
    for (const { word, rule, weight } of entries) {
      if (!this.uses.has(word)) {
        this.uses.set(word, []);
        const start = word.slice(0, 2);
        if (!this.starts.has(start)) this.starts.set(start, []);
        this.starts.get(start).push(word);
      }
      this.uses.get(word).push({ word, rule, weight });
    }
  }

  // Calls onUse for each use of each keyword found, each once.
  scan(text, onUse) {
    const found = new Set();
    for (let i = 0; i < text.length; i++) {
      for (const start of [text.slice(i, i + 2), text[i]]) {
        for (const word of this.starts.get(start) ?? []) {
          if (found.has(word) || !text.startsWith(word, i)) continue;
          found.add(word);
          for (const use of this.uses.get(word)) onUse(use);
        }
      }
    }
  }
}

function loadRules(dir) {
  const rules = [];
  for (const name of yamlFiles(join(dir, 'categories'))) {
    const file = read(dir, 'categories', name);
    for (const rule of file.rules) {
      const path = `${file.category}/${rule.path}`;
      const inherited = { department: rule.department ?? file.department ?? null, sla: rule.sla ?? file.sla ?? null };
      rules.push({ what: 'category', name: path, first: file.category, ...inherited, source: rule });
    }
  }
  const urgency = read(dir, 'urgency.yaml');
  for (const rule of urgency.rules) rules.push({ what: 'urgency', name: rule.level, sla: rule.sla ?? null, source: rule });
  const kinds = read(dir, 'kinds.yaml');
  for (const rule of kinds.rules) rules.push({ what: 'kind', name: rule.kind, source: rule });
  for (const rule of read(dir, 'tags.yaml').rules) rules.push({ what: 'tag', name: rule.tag, source: rule });
  return { rules, urgency: urgency.default, kind: kinds.default };
}

const minutes = { min: 1, h: 60, d: 1440, wd: 1440 };

function duration(text) {
  const [, count, unit] = /^(\d+)\s*(min|h|d|wd)$/.exec(text);
  return Number(count) * minutes[unit] * 60000;
}

function loadSla(dir) {
  const file = read(dir, 'sla.yaml');
  const classes = new Map();
  for (const row of file.classes) {
    const clocks = ['respond', 'arrive', 'report', 'resolve'].filter((clock) => row[clock]);
    classes.set(row.name, clocks.map((clock) => [`${clock}_by`, duration(row[clock])]));
  }
  return { fallback: file.default, classes };
}

function loadPlaces(dir) {
  const grids = new Map();
  const places = new Map();
  let triage = null;
  for (const name of yamlFiles(join(dir, 'directory'))) {
    const file = read(dir, 'directory', name);
    triage ??= { community: file.communities[0].id, grid: null, worker: file.street.triage };
    for (const community of file.communities) {
      const station = { community: community.id, grid: null, worker: community.station };
      for (const alias of [community.name, ...(community.aliases ?? [])]) places.set(normalise(alias), station);
      for (const grid of community.grids) {
        const route = { community: community.id, grid: grid.id, worker: grid.a ?? community.station };
        grids.set(grid.id, route);
        for (const alias of [grid.name, ...(grid.aliases ?? [])]) places.set(normalise(alias), route);
      }
    }
  }
  return { grids, places, triage, regex: alternation(places.keys(), '') };
}

export function load(dir) {
  const { rules, urgency, kind } = loadRules(dir);
  const inText = [];
  const inTitle = [];
  for (const rule of rules) {
    for (const [word, weight] of weighted(rule.source.keywords)) inText.push({ word: normalise(word), rule, weight });
    for (const [word, weight] of weighted(rule.source.title_keywords)) inTitle.push({ word: normalise(word), rule, weight });
    rule.regexes = weighted(rule.source.regexes).map(([pattern, weight]) => ({ word: pattern, regex: compile(pattern), rule, weight }));
    rule.unless = (rule.source.unless ?? []).map(compile);
    delete rule.source;
  }
  return {
    text: new Keywords(inText),
    title: new Keywords(inTitle),
    regexes: rules.flatMap((rule) => rule.regexes),
    defaults: { urgency, kind },
    sla: loadSla(dir),
    places: loadPlaces(dir),
  };
}
