"""What a frontend asks for on its control ring, and how its backend answers: messages, and what they mean to each.

Law: nothing here maps a ring or copies a page. What is to be copied is named, and handed in as data.
"""
