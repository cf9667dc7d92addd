// What keys of the API mean, in the page's language. A key that is not here falls back to the server's sentence.
import { language, listed, t } from "./text.js";

/** Why a track got no name, or a photo was not taken. */
const REASONS = {
  too_small: () => t("too small in the picture"),
  blurred: () => t("blurred"),
  turned_away: () => t("turned away"),
  too_dark: () => t("too dark"),
  too_bright: () => t("too bright"),
  low_contrast: () => t("too little contrast"),
  cut_off: () => t("cut off at the edge"),
  unsure_detection: () => t("hardly visible as a face"),
  below_threshold: () => t("not like anybody enrolled"),
  runner_up_too_close: () => t("too much like two people at once"),
  too_few_faces: () => t("seen too briefly"),
  faces_disagree: () => t("the looks at this face disagree"),
  second_opinion: () => t("the household's own classifier doubts it"),
  empty_gallery: () => t("nobody is enrolled yet"),
  no_face: () => t("no face was seen"),
  hold_expired: () => t("not seen any more"),
  moved: () => t("seen in another room"),
  decision_revised: () => t("it was somebody else after all"),
  no_usable_face: () => t("no face was good enough"),
};

export function reasonText(key) {
  return REASONS[key]?.() ?? String(key).replaceAll("_", " ");
}

export function reasonsText(keys) {
  return (keys || []).map(reasonText).join(", ");
}

/** Feedback of the guided round: short, said several times a second. */
const FEEDBACK = {
  closer: () => t("Come closer"),
  farther: () => t("A little farther away"),
  more_light: () => t("More light, please"),
  less_light: () => t("Too bright: turn away from the lamp"),
  one_face_only: () => t("One face only, please"),
  no_face: () => t("Put your face into the oval"),
  hold_still: () => t("Hold still"),
  centre: () => t("Move into the middle"),
  turn_left: () => t("Turn your head to the left"),
  turn_right: () => t("Turn your head to the right"),
  look_up: () => t("Lift your chin a little"),
  look_down: () => t("Lower your chin a little"),
  look_straight: () => t("Look straight ahead"),
  same_person: () => t("This looks like somebody else: the same person throughout, please"),
  head_upright: () => t("Keep the head upright"),
  turn_less: () => t("Not quite so far"),
  good: () => t("Good, stay like this"),
  taken: () => t("Got it!"),
  done: () => t("Done. Thank you!"),
};

export function feedbackText(key, sentence) {
  return FEEDBACK[key]?.() ?? sentence ?? "";
}

export const STEPS = {
  front: () => t("Front"),
  left: () => t("Left"),
  right: () => t("Right"),
  up: () => t("Up"),
  down: () => t("Down"),
  glasses: () => t("Glasses"),
  smile: () => t("Smile"),
};

const INSTRUCTIONS = {
  front: () => t("Look straight into the camera"),
  left: () => t("Turn your head to the left"),
  right: () => t("Turn your head to the right"),
  up: () => t("Lift your chin a little"),
  down: () => t("Lower your chin a little"),
  glasses: () => t("Put your glasses on or take them off; skip this without glasses"),
  smile: () => t("Smile!"),
};

export function instruction(step) {
  return INSTRUCTIONS[step]?.() ?? "";
}

/** Verdicts on photos, by key. */
const VERDICTS = {
  accepted: () => t("Taken"),
  no_face: () => t("No face was found in this picture."),
  several_faces: () => t("More than one face: take a picture of one person, or cut it."),
  picture: () => t("This file cannot be read as a picture."),
  low_quality: () => t("The face is not good enough."),
  outlier: () => t("This face does not fit the other photos of this person."),
  looks_like_another: () => t("This face looks like somebody else who is enrolled."),
  unreadable: () => t("This file cannot be read as a picture."),
  duplicate: () => t("This picture is here already."),
};

export function verdictText(verdict) {
  if (language === "en") return verdict.message;
  return VERDICTS[verdict.key]?.() ?? verdict.message;
}

/** Findings of the household's health, by topic. English comes from the server with all its figures. */
const FINDINGS = {
  nobody_enrolled: () => t("Nobody is enrolled yet."),
  no_photos: (who) => t("{who}: no photos yet, so nobody can recognise this person.", { who }),
  other_model: (who) => t("{who}: photos were taken for another recognition model; add them again.", { who }),
  too_few_photos: (who) => t("{who}: too few photos. Five from different sides help most.", { who }),
  no_infrared_photos: (who) => t("{who}: no infra-red photos; at night cameras see in infra-red.", { who }),
  outlier: (who) => t("{who}: a photo does not fit the others and is set aside.", { who }),
  photos_disagree: (who) => t("{who}: the photos disagree. Are they all of the same person?", { who }),
  same_picture: (who) => t("{who}: a picture is there twice.", { who }),
  too_alike: (who) => t("{who} look so alike that homeface may stay silent rather than guess.", { who }),
  small_photos: (who) => t("{who}: the faces in the photos are small; larger ones teach more.", { who }),
  often_missed: (who) => t("{who}: will often go without a name. More photos from different sides help.", { who }),
  resting_photos: (who) => t("{who}: some photos rest, because they look like somebody else.", { who }),
  camera_faces_too_small: () => t("A camera sees faces too small: hang it lower or nearer."),
  camera_faces_unusable: () => t("A camera seldom sees a usable face: more light, or another place."),
};

export function findingText(finding) {
  const key = finding.topic ?? finding.key;
  const sentence = finding.text ?? finding.sentence ?? "";
  if ((language === "en" && sentence) || !(key in FINDINGS)) return { text: sentence, help: finding.help || "" };
  return { text: FINDINGS[key](listed(finding.people ?? [])), help: "" };
}

/** Sentences for errors that people meet often; others are shown as the server says them. */
const ERRORS = {
  wrong_password: () => t("That is not the password."),
  locked: () => t("Too many wrong passwords. Wait a while and try again."),
  weak_password: () => t("Choose a longer password: at least ten characters, four of them different."),
  code_needed: () => t("Type the code that homeface has written to its log (journalctl -u homeface)."),
  already_set_up: () => t("This homeface has an owner already."),
  link_over: () => t("This link is used up or too old. Ask for a new one."),
  old_consent: () => t("The text has changed: load the page again and read it."),
  no_such_person: () => t("This person is not here any more."),
  no_such_visit: () => t("This visit is not kept any more."),
  no_faces: () => t("No face of these visits is good enough to learn from."),
  name_taken: () => t("There is already somebody with this name."),
  bad_name: () => t("That is no name."),
  round_over: () => t("The round is over: begin again."),
  camera_unavailable: () => t("This camera sends no pictures now."),
  several_people: () => t("More than one person was before the camera. Let one person stand there alone, and try again."),
  csrf: () => t("This page is too old: load it again."),
  too_large: () => t("This is too large."),
  too_many: () => t("Too many files at once."),
};

/** For these the server's sentence speaks to programmers. */
const ALWAYS = new Set(["csrf"]);

export function errorText(key, fallback) {
  if (language === "en" && !ALWAYS.has(key)) return fallback;
  return ERRORS[key]?.() ?? fallback;
}

/** Acts of the log; what comes after a colon is kept as it is. */
const ACTS = {
  "log in": () => t("logged in"),
  "set up": () => t("set up"),
  "change password": () => t("changed the password"),
  invite: () => t("made an invite"),
  "remove invite": () => t("withdrew an invite"),
  "open invite link": () => t("opened an invite"),
  "open personal link": () => t("opened a personal link"),
  consent: () => t("agreed to being recognised"),
  "personal link": () => t("made a personal link"),
  "add person": () => t("added a person"),
  "change person": () => t("changed a person"),
  "remove person": () => t("removed a person"),
  "add photos": () => t("added photos"),
  "add photos from a camera": () => t("added photos from a camera"),
  "guided round": () => t("took guided pictures"),
  "remove photo": () => t("removed a photo"),
  "export person": () => t("took a copy of somebody's data"),
  "name a visit": () => t("named a visit"),
  "forget an unknown visit": () => t("deleted an unknown visit"),
  "forget all unknown visits": () => t("deleted all unknown visits"),
  "pause room": () => t("paused a room"),
  "resume room": () => t("ended a room's pause"),
  "pause camera": () => t("paused a camera"),
  "resume camera": () => t("ended a camera's pause"),
  "add token": () => t("made a token"),
  "remove token": () => t("withdrew a token"),
  "add member": () => t("added a family member's account"),
  "remove member": () => t("removed a family member's account"),
  "change setting": () => t("changed a setting"),
  enrol: () => t("added photos"),
  remove: () => t("removed a person"),
  rename: () => t("renamed a person"),
  export: () => t("took a copy of somebody's data"),
  "forget learned": () => t("deleted what visits had taught"),
  "key rotate": () => t("changed the key of the gallery"),
  "key seal": () => t("sealed the key of the gallery"),
  backup: () => t("made a backup"),
  restore: () => t("put a backup in place"),
};

export function actText(what) {
  const [act, ...rest] = what.split(": ");
  const words = ACTS[act]?.();
  return words ? [words, ...rest].join(": ") : what;
}
