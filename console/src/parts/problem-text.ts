import { Refused, Unreachable } from "../api/problem";
import { caseWords } from "../cases/words";
import { words } from "../words";
import { problemWords } from "./problem-words";

type Said = ReturnType<typeof problemWords>["said"];

const stageName = (word: string): string => caseWords().stages[word.replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase()] ?? word;

/** Sentences of the server that say more than their code, and what they are here. */
const SENTENCES: readonly [RegExp, (said: Said, ...parts: string[]) => string][] = [
  [/there is an account `(.+)` already/, (said, name = "") => said.accountThere(name)],
  [/^not possible in stage (\w+)$/, (said, stage = "") => said.stage(stageName(stage))],
  [/^not possible in space /, (said) => said.space],
  [/^the check has begun already$/, (said) => said.begun],
  [/^it is so already$/, (said) => said.already],
  [/^the second person must be another one$/, (said) => said.samePerson],
  [/^a violation takes two inspectors/, (said) => said.takesTwo],
  [/^only inspectors confirm/, (said) => said.notInspector],
  [/^(the case stands at |somebody else was faster)/, (said) => said.caseStands],
  [/somebody else has changed it$/, (said) => said.changedMeanwhile],
  [/^the password must be changed first$/, (said) => said.changePassword],
  [/^must not be empty$/, (said) => said.empty],
  [/^must be later than the beginning$/, (said) => said.afterBeginning],
  [/^must be in the future$/, (said) => said.inFuture],
  [/^must not be later than now$/, (said) => said.notLaterThanNow],
  [/^is no unit that you look after$/, (said) => said.notYourUnit],
  [/^(there is no |is no )/, (said) => said.noSuch],
  [/^must have (\d+) to (\d+) characters$/, (said, least = "", most = "") => said.length(least, most)],
  [/^a password has at least (\d+) characters$/, (said, least = "") => said.passwordShort(least)],
  [/one of those that are tried first$/, (said) => said.passwordCommon],
  [/does not hold the name it is for$/, (said) => said.passwordName],
  [/^is the password as it was$/, (said) => said.passwordSame],
  [/^is not the password$/, (said) => said.passwordWrong],
  [/^is not the code /, (said) => said.codeWrong],
  [/^must be given$/, (said) => said.given],
  [/^holds more than (\d+) /, (said, most = "") => said.tooMany(most)],
];

/** What a sentence of the server says, in the language of the page; nothing for one that is not known. */
export function sentenceInWords(sentence: string): string | undefined {
  const { said } = problemWords();
  for (const [form, say] of SENTENCES) {
    const found = form.exec(sentence);
    if (found) return say(said, ...found.slice(1));
  }
  return undefined;
}

/** What became of a request, for people. */
export function inWords(error: unknown): string {
  if (error instanceof Unreachable) return words().problem.unreachable;
  if (!(error instanceof Refused)) return error instanceof Error ? error.message : String(error);
  const { codes } = problemWords();
  return sentenceInWords(error.problem.detail ?? "") ?? codes[error.code] ?? codes.unknown ?? "";
}

/** One refusal among many, of which there are a code and a sentence. */
export const refusalInWords = (code: string | undefined, detail: string | undefined): string =>
  inWords(new Refused(0, code ?? "unknown", detail ? { detail } : {}));

/** What is wrong with which field; `names` are those of the form. */
export function fieldsInWords(error: unknown, names: Readonly<Record<string, string>> = {}): string[] {
  if (!(error instanceof Refused)) return [];
  const { said, fields } = problemWords();
  return (error.problem.errors ?? []).map(({ pointer, parameter, message }) => {
    const path = (pointer ?? parameter ?? "").split("/").filter(Boolean);
    const field = path.findLast((part) => part in names || part in fields);
    return `${field ? (names[field] ?? fields[field]) : ""} ${sentenceInWords(message) ?? said.wrong}`.trim();
  });
}

/** The server's own words, as far as nothing else tells what they tell. */
export function serversOwn(error: unknown): string[] {
  if (!(error instanceof Refused)) return [];
  const told = [error.problem.detail ?? "", ...(error.problem.errors ?? []).map(({ pointer, message }) => `${pointer ?? ""} ${message}`.trim())];
  const bare = (text: string): string => text.replace(/^\/\S* /, "");
  return told.filter((text) => text && sentenceInWords(bare(text)) === undefined);
}
