// What there is to know about people, photos and cameras. English comes from the server; other languages (and
// guests, who are told no other name) get the same figures in the page's words.
import { inOne, language, listed, number, t, tn } from "./text.js";
import { reasonText } from "./words.js";

/** Somebody stays unknown more often than this: then it is told as the more serious. */
const OFTEN = 0.2;
const figure = (value) => number(value, 2);

function outlier(who, people, { fit, needed, like_score: likeScore, used }) {
  if (fit === undefined) return t("{who}: a photo does not fit the others and is set aside.", { who });
  const [name, other] = people;
  const what = other
    ? t("A photo of {name} looks more like {other} (score {score}) than like the other photos of {name} (fit {fit}).", { name, other, score: figure(likeScore), fit: figure(fit) })
    : t("A photo of {name} does not look like the others (fit {fit}, {needed} is needed).", { name, fit: figure(fit), needed: figure(needed) });
  return `${what} ${used ? t("It is used, since it fits both.") : t("It is not used.")}`;
}

function alike(who, [first, second], { score, undecided, mistaken, kept }) {
  if (!kept) {
    return t("{who} look so alike (score {score}) that the promise cannot be kept between them. {first} is called {second} this often: {mistaken}, and stays unknown: {undecided}.", {
      who, first, second, score: figure(score), mistaken: inOne(mistaken), undecided: inOne(undecided) });
  }
  return undecided < OFTEN
    ? t("{who} look alike (score {score}): {first} stays unknown this often: {undecided}.", { who, first, score: figure(score), undecided: inOne(undecided) })
    : t("{who} look so alike (score {score}) that they are kept apart only by saying unknown. {first} stays unknown this often: {undecided}.", { who, first, score: figure(score), undecided: inOne(undecided) });
}

/** By topic: [what is, what would help]. `who`: the names as a list, `people`: one by one. */
const FINDINGS = {
  nobody_enrolled: () => [t("Nobody is enrolled yet."), t("Add the first person.")],
  no_photos: ({ who }) => [t("{who}: no photos yet, so nobody can recognise this person.", { who }), t("Add some photos, or make the guided round.")],
  other_model: ({ who, figures }) => [
    tn("{who}: {count} photo was taken for another recognition model and is not used.", "{who}: {count} photos were taken for another recognition model and are not used.", figures.photos, { who }),
    t("Add new photos, or have the old ones read anew (homeface people reembed)."),
  ],
  too_few_photos: ({ who, figures }) => [
    tn("{who}: only {count} photo, too little to promise how often this person is named.", "{who}: only {count} photos, too little to promise how often this person is named.", figures.photos, { who }),
    tn("{count} more photo would help: on another day, in other light, with and without glasses.", "{count} more photos would help: on other days, in other light, with and without glasses.", figures.lacking),
  ],
  no_infrared_photos: ({ who }) => [
    t("{who}: no or few infra-red photos. Under a camera's night light somebody is named less often without them (never more wrongly).", { who }),
    t("Two would help: taken by a camera of the house in the dark, or pictures saved from one at night."),
  ],
  outlier: ({ who, people, figures }) => [outlier(who, people, figures), t("If it is somebody else, remove that photo.")],
  photos_disagree: ({ who }) => [t("{who}: the photos disagree. Are they all of the same person?", { who }), t("Remove the photos of somebody else, or add more good ones.")],
  same_picture: ({ who, people }) => [
    people.length > 1 ? t("One and the same picture is stored for {who}: they will be taken for each other.", { who }) : t("{who}: a picture is there twice.", { who }),
    t("Remove one of the two."),
  ],
  too_alike: ({ who, people, figures }) => [alike(who, people, figures), t("More photos of both in the same light. Automate nothing on telling them apart.")],
  small_photos: ({ who, figures }) => [
    t("{who}: the faces in the photos are small ({pixels} pixels between the eyes); larger ones teach more.", { who, pixels: number(figures.eyes_px) }),
    t("Photos taken from nearer, not cropped."),
  ],
  often_missed: ({ who, figures }) => [
    t("{who}: goes without a name though seen well, this often: {rate}.", { who, rate: inOne(figures.missed) }),
    t("More photos that differ (light, glasses, beard), or a lower strictness."),
  ],
  resting_photos: ({ who, figures }) => [
    tn("{who}: {count} photo rests, because the {used} in use differ more from each other. Nothing is lost.", "{who}: {count} photos rest, because the {used} in use differ more from each other. Nothing is lost.", figures.resting, { who, used: number(figures.used) }), "",
  ],
  camera_faces_too_small: ({ figures }) => [
    t("Camera {camera}: in {count} of {visits} visits the faces were too small to name anybody.", { camera: figures.camera, count: number(figures.poor), visits: number(figures.visits) }),
    t("Place it nearer to where people pass, at head height, or use a stream of more pixels."),
  ],
  camera_faces_unusable: ({ figures }) => [
    t("Camera {camera}: in {count} of {visits} visits no face was good enough (mostly: {reason}).", { camera: figures.camera, count: number(figures.poor), visits: number(figures.visits), reason: reasonText(figures.mostly) }),
    t("More light, a lower place, or another angle."),
  ],
};

/** `finding`: of the API (of a person or of the household). Returns {text, help}. */
export function findingText(finding) {
  const key = finding.topic ?? finding.key;
  const sentence = finding.text ?? finding.sentence ?? "";
  if ((language === "en" && sentence) || !(key in FINDINGS)) return { text: sentence, help: finding.help || "" };
  const people = finding.people ?? [];
  const [text, help] = FINDINGS[key]({ who: listed(people), people, figures: finding.figures ?? {} });
  return { text, help };
}
