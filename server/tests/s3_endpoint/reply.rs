//! An answer, and the checks that every answer and every error must pass.

use std::ops::Deref;

use strongroom_tests::http::Answer;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    answer: Answer,
}

impl Deref for Reply {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

impl Reply {
    pub(crate) fn of(answer: Answer) -> Self {
        Self { answer }
    }

    /// The text of the first element of this name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    /// The texts of all elements of this name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let after_open = text.split(open.as_str()).skip(1);
        after_open
            .filter_map(|rest| rest.split_once(close.as_str()))
            .map(|(inner, _)| inner.to_owned())
            .collect()
    }

    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(!self.cut, "the answer was cut");
        assert!(
            self.header("x-amz-request-id").is_some(),
            "every answer has a request id"
        );
        self
    }

    /// An S3 error as every error must look.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, code: &str) -> Reply {
        let reply = self.expect_status(status);
        assert_eq!(
            reply.element("Code").as_deref(),
            Some(code),
            "{}",
            reply.text()
        );
        assert_eq!(
            reply.element("RequestId").as_deref(),
            reply.header("x-amz-request-id")
        );
        assert!(
            reply.element("Resource").is_some() && reply.element("HostId").is_some(),
            "{}",
            reply.text()
        );
        reply
    }
}
