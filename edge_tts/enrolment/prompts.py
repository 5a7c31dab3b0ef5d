"""What the appliance says during an enrolment, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Literal

from edge_tts.recordings.quality import Check, Refusal

PromptLanguage = Literal["zh", "en"]

CONSENT: Mapping[PromptLanguage, str] = {
    "en": "I agree that this device may speak with my voice. My name is {name}.",
    "zh": "我同意这台设备用我的声音说话。我的名字是{name}。",
}
"""What the person reads aloud: the transcript of the recording and the consent."""

_STEPS: Mapping[str, Mapping[PromptLanguage, str]] = {
    "ask": {
        "en": "Somebody asks to record a voice here, under the name {name}. Whoever agrees, please press the button.",
        "zh": "有人想在这里录制一个声音，名字是{name}。同意的话，请按一下按钮。",
    },
    "unconfirmed": {
        "en": "Nobody pressed the button. Nothing was recorded.",
        "zh": "没有人按按钮，什么都没有录。",
    },
    "invite": {
        "en": "After the tone, please read this sentence aloud, in your own voice: {sentence}",
        "zh": "请在提示音之后，用您平常的声音读这句话：{sentence}",
    },
    "thanks": {
        "en": "Thank you. One moment, please.",
        "zh": "谢谢，请稍等。",
    },
    "answer": {
        "en": "Hello {name}. From now on I can speak with your voice.",
        "zh": "你好，{name}。从现在起，我可以用你的声音说话了。",
    },
    "again": {
        "en": "{reason} Please press the button and try again.",
        "zh": "{reason}请按一下按钮，再试一次。",
    },
    "later": {
        "en": "Hello {name}. Your voice is stored. I can speak with it in a little while.",
        "zh": "你好，{name}。您的声音已经保存，过一会儿我就可以用它说话了。",
    },
    "taken": {
        "en": "I already have a voice called {name}. Rename or delete it first, or give me another name.",
        "zh": "已经有一个叫{name}的声音了。请先给它改名或者删除它，或者换一个名字。",
    },
    "interrupted": {
        "en": "The recording was interrupted. Please press the button to begin again.",
        "zh": "录音被打断了。请按一下按钮重新开始。",
    },
    "nobody": {
        "en": "I heard nobody. Please press the button when you are ready.",
        "zh": "没有听到有人说话。准备好之后请按一下按钮。",
    },
    "nameless": {
        "en": "I do not know your name. Send it with the enroll message, or set it in the configuration.",
        "zh": "我还不知道您的名字。请在 enroll 消息里写上名字，或者在配置文件里设置。",
    },
    "microphone": {
        "en": "The microphone cannot be used. Please check that it is plugged in.",
        "zh": "麦克风无法使用，请检查它是否插好。",
    },
    "failed": {
        "en": "The voice could not be stored. The reason is in the log.",
        "zh": "声音没有保存成功，原因写在日志里。",
    },
}

_REFUSALS: Mapping[str, Mapping[PromptLanguage, str]] = {
    "silent": {
        "en": "I heard nothing at all. Check that the microphone is plugged in and not muted.",
        "zh": "完全没有声音。请检查麦克风是否插好，是否静音。",
    },
    "short": {
        "en": "That was too short: I need {limit:.0f} seconds of speech. Read the whole sentence, slowly.",
        "zh": "说得太短了：至少需要{limit:.0f}秒。请把整句话慢慢读完。",
    },
    "long": {
        "en": "That took too long. Read only the sentence, in one go, in at most {limit:.0f} seconds.",
        "zh": "读得太久了。请只读这句话，一口气读完，不要超过{limit:.0f}秒。",
    },
    "holes": {
        "en": "The microphone drops out again and again. Turn off its noise suppression, or use another one.",
        "zh": "麦克风断断续续。请关掉它的降噪功能，或者换一个麦克风。",
    },
    "pauses": {
        "en": "There were long pauses. Read the sentence in one go.",
        "zh": "停顿太长了。请把这句话一口气读完。",
    },
    "clipped": {
        "en": "That was too loud for the microphone. Step back a little, or turn the microphone down.",
        "zh": "声音太大，录音失真了。请离麦克风远一点，或者把录音音量调低。",
    },
    "quiet": {
        "en": "That was too quiet. Come closer, speak up, or turn the microphone up.",
        "zh": "声音太小了。请靠近一点，大声一点，或者把录音音量调高。",
    },
    "hum": {
        "en": "There is a hum from the mains. Move the cable or the power supply away from the microphone.",
        "zh": "有电源的嗡嗡声。请让电源线和充电器离麦克风远一点。",
    },
    "whistle": {
        "en": "There is a steady high tone. Switch off what whistles nearby, such as a charger or a screen.",
        "zh": "有持续的高音。请关掉附近发出尖声的东西，比如充电器或显示器。",
    },
    "high": {
        "en": "There is a strong sound above the human voice. Switch off what makes it, and record again.",
        "zh": "有比人声高得多的强烈声音。请关掉它的来源再录。",
    },
    "noisy": {
        "en": "It is too noisy here. Close the window, switch off the radio, or come closer to the microphone.",
        "zh": "周围太吵了。请关上窗户，关掉收音机，或者靠近麦克风。",
    },
    "words": {
        "en": "That was not the sentence, or not all of it. Read it word for word, and nothing else.",
        "zh": "读的不是这句话，或者没有读完。请照原句一字不差地读，不要说别的。",
    },
    "speakers": {
        "en": "I heard more than one voice. Only one person should speak.",
        "zh": "听到了不止一个人的声音。请只让一个人说话。",
    },
    "poor": {
        "en": "The recording does not sound clear enough. Try a quiet room with curtains, close to the microphone.",
        "zh": "录音不够清楚。请到安静、少回声的房间里，靠近麦克风再录一次。",
    },
}


def prompt_language(language: str) -> PromptLanguage:
    """The language of the prompts for an enrolment in `language`."""
    return "zh" if language in ("zh", "yue") else "en"


def consent(language: PromptLanguage, name: str) -> str:
    """The sentence that this person reads aloud."""
    return CONSENT[language].format(name=name)


def step(which: str, language: PromptLanguage, **blanks: str) -> str:
    """What is said at a step of an enrolment."""
    return _STEPS[which][language].format(**blanks)


def explain(refusal: Refusal, language: PromptLanguage) -> str:
    """Why a recording was refused and what to do better."""
    return _REFUSALS[refusal.code][language].format(limit=refusal.limit)


def explained(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """For a report: each value against its limit, and in both languages what to do better where it is not kept."""
    told = []
    for check in checks:
        refusal = Refusal(check.code, check.value, check.limit)
        why = {} if check.passed else {"why": {language: explain(refusal, language) for language in CONSENT}}
        told.append({**asdict(check), "value": round(check.value, 4), **why})
    return told
