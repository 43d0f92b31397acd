"""Which messages say that an account has nothing left to spend, and which only seem to."""

import pytest
from hypothesis import given, strategies

from mediakit.base import credit_words, errors
from mediakit.base.credit_words import says_credits_are_missing
from mediakit.services import providers

MISSING = """
Insufficient credits
insufficient_credits
INSUFFICIENT_CREDIT
InsufficientBalance
insufficient_quota
You do not have enough credits to run this model
You don't have enough credits.
Not enough credits: 12 needed, 3 left
Your credit balance is too low to access the API.
Account balance is insufficient
Your account balance is too low
You exceeded your current quota, please check your plan and billing details.
Quota exceeded for this billing period
You have exceeded your monthly quota
Billing hard limit has been reached
You have reached your hard limit
Spend limit reached
spending limit exceeded
Your monthly spend limit has been reached
This request exceeds your spending limit
0 credits remaining
Credits remaining: 0
You have 0 credits left
You have no credits
You have run out of credits
Out of credits
credits exhausted
Your credits have been used up
Payment required
Your account is overdue
Account overdue, please pay the invoice
Payment is past due
Arrearage
Your wallet has insufficient funds
Insufficient funds
No available balance
Please top up your account
Please recharge your balance and try again
Please buy more credits
need more credits
余额不足
账户余额不足，请充值
积分不足
您的额度已用完
点数不够
账户已欠费
配额已耗尽
超出消费限额
账单逾期
餘額不足，請儲值
You need 20 more credits
This request requires 20 credits; you have 3
requires 12 credits; current remaining credits are 4
You have reached your specified API usage limits
Your account has an outstanding balance
Account suspended due to unpaid invoice
Please add credits to continue
balance_not_enough
Your balance (0.00) is not enough
Your current balance is $0.00
Account balance: 0
Your wallet is empty
Low balance
Balance too low
Upgrade your plan to get more credits
Your trial has ended. Add a payment method to continue.
You have used all your credits
All credits used
You've used up your monthly credits
Monthly credits limit reached
You have exceeded your credit allowance
User is locked. Reason: Exhausted balance.
账户余额为0
剩余积分为0
已超出配额
Nicht genügend Guthaben
Crédits insuffisants
Solde insuffisant
Saldo insuficiente
No tienes suficientes créditos
Credito insufficiente
クレジットが不足しています
残高不足
크레딧이 부족합니다
Недостаточно средств
bakiye yetersiz
""".strip().splitlines()
OTHER = """
The prompt must hold no credit card numbers
credit card declined by the filter
no credit cards, please
prompt: recharge the battery of the robot
a knight tops up his cup
please top up my tea, said the prompt
white balance is too low
balance the colours
the picture has an insufficient color balance
the balance of the scales
you get credits for a good answer
Rate limit exceeded
Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'
too many requests, quota of requests exceeded
You exceeded your current quota. * Quota exceeded for metric: generate_content_free_tier_requests, limit: 20
You exceeded your current quota, please check your plan and billing details. Please retry in 31.5s.
limit of 5 concurrent jobs reached
max_tokens exceeds the limit of 4096
the file exceeds the limit of 20 MB
credits: a film by the same director
no such model
give credit to the author
fund a balance bike
the overdue library book in the prompt is not allowed
invalid api key
the model is not available
请求频率超出限额
图片尺寸超过限制
提示词包含敏感内容
the limit of 10 images has been reached
without credits in the picture
no credits in the end scene
the picture has no balance in its composition
提示词超过上限
hard limit exceeded: prompt too long
no funds shown
Your current balance is 0.5
Account balance: 12
You have 5 credits remaining
10 credits left
白平衡不足
请给电池充值
credit_card_required is false
the wallet is empty in the picture
context length limit reached
field 'credits' must be a number
余额为0.5
""".strip().splitlines()


@pytest.mark.parametrize("words", MISSING)
def test_words_about_missing_credits_are_understood(words):
    assert says_credits_are_missing(words)
    for status in (200, 400, 401, 403, 404, 429, 500):
        assert errors.classify(status, words) == "insufficient_credits"


@pytest.mark.parametrize("words", OTHER)
def test_words_about_something_else_are_not(words):
    assert not says_credits_are_missing(words)
    assert errors.classify(422, words) == "validation"


def test_the_services_own_code_comes_before_words():
    assert errors.classify(402, "insufficient credits", "KEY_REVOKED", {"KEY_REVOKED": "auth"}) == "auth"


def test_a_long_message_takes_no_time_to_look_at():
    for piece in (
        "no credit ",
        "your your your ",
        "quota a a ",
        "insufficient available ",
        "need 1 credits ",
        "account balance ",
        "used your free trial ",
        "balance (a ",
        "requires 1 credit ",
    ):
        assert not says_credits_are_missing(piece.replace("credit ", "credit card ") * 3000 + "x") or piece


@given(strategies.from_regex(credit_words._WORDS))
def test_what_the_phrases_match_is_never_passed_over(text):
    assert not text.isascii() or any(stem in text for stem in credit_words._STEMS)


# What a service that says RESOURCE_EXHAUSTED of both means -> the category
GOOGLE = [
    (429, "Your prepayment credits are depleted.", "insufficient_credits"),
    (402, "Your prepayment credits are depleted.", "insufficient_credits"),
    (429, "Your project has exceeded its monthly spending cap.", "insufficient_credits"),
    (429, "You exceeded your current quota, please check your plan and billing details.", "transient"),
    (429, "Quota exceeded for metric: free_tier_requests, limit: 20. Please retry in 31.5s.", "transient"),
    (429, "Resource has been exhausted (e.g. check quota).", "transient"),
]


@pytest.mark.parametrize("status, message, category", GOOGLE)
def test_an_exhausted_resource_of_google_is_money_or_a_rate(status, message, category):
    body = {"error": {"code": status, "status": "RESOURCE_EXHAUSTED", "message": message}}
    assert providers.load("gemini").refusals.category(status, body) == (category, message)
