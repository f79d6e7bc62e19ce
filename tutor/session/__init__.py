"""What a student's visit is made of: conversation, jobs, the queue and the models; no Streamlit.

Service                one per process: models, queue, jobs that the routes may show
├── ModelShelf         loads models in the background, keeps a few
├── ReplyQueue         one worker, first come first served
└── Registry           token -> Job, the last few records per student
Session                one per student: conversation, settings, jobs under way
"""
