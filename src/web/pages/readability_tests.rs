//! Each built-in page is easy to read.

use super::tests::pages;
use crate::base::readability::assert_easy_to_read;

#[test]
fn every_page_is_easy_to_read() {
    let renditions = pages().renditions();
    assert!(renditions.iter().filter(|page| page.prose.is_empty()).count() == 2);
    for page in renditions.iter().filter(|page| !page.prose.is_empty()) {
        assert_easy_to_read(&page.language, &page.prose);
    }
}
