// What keys of the API mean, in the page's language. A key that is not here falls back to the server's sentence.
import { language, t } from "./text.js";

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
  too_slow: () => t("The upload takes too long, or never ends."),
  picture: () => t("This file cannot be read as a picture."),
  busy: () => t("There is too much to do at once: try again in a moment."),
  foreign_page: () => t("This was asked by another page: load this one again."),
  no_such_room: () => t("There is no such room, or it has no camera."),
  no_such_camera: () => t("There is no such camera."),
  no_picture: () => t("There is no picture of this camera."),
  not_allowed: () => t("You may not do this."),
  not_logged_in: () => t("Log in first."),
  not_there: () => t("This is not here any more."),
  storage: () => t("This cannot be stored at the moment."),
  gallery: () => t("This does not go together with who is enrolled already."),
  backup: () => t("This backup cannot be used."),
  invalid: () => t("This value does not fit."),
  request: () => t("This cannot be done."),
  failed: () => t("This did not work."),
  bug: () => t("This went wrong in homeface itself; its log tells more."),
};

/** After these the server's own sentence tells what exactly. */
const WITH_DETAIL = new Set(["backup", "gallery", "invalid", "storage", "request", "failed"]);

/** For these the server's sentence speaks to programmers. */
const ALWAYS = new Set(["csrf"]);

export function errorText(key, fallback) {
  if (language === "en" && !ALWAYS.has(key)) return fallback;
  const words = ERRORS[key]?.();
  if (!words) return fallback;
  return WITH_DETAIL.has(key) ? `${words} (${fallback})` : words;
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
  "guest mode on": () => t("switched guest mode on"),
  "guest mode off": () => t("switched guest mode off"),
  pause: () => t("paused a camera"),
  resume: () => t("ended a camera's pause"),
  "log out everywhere": () => t("logged out on every device"),
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

/** What comes after the colon, where it is no name or key. */
const DETAILS = {
  name: () => t("name"),
  aliases: () => t("other names"),
  paused: () => t("pause"),
  nothing: () => t("nothing"),
};

function detailText(detail) {
  const count = /^(\d+) of (\d+) accepted$/.exec(detail);
  if (count) return t("{taken} of {count} taken", { taken: count[1], count: count[2] });
  return detail.split(", ").map((word) => DETAILS[word]?.() ?? word).join(", ");
}

export function actText(what) {
  const [act, ...rest] = what.split(": ");
  const words = ACTS[act]?.();
  return words ? [words, ...rest.map(detailText)].join(": ") : what;
}
