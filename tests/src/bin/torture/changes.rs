//! The kinds of change, by what they are made with.

mod attributes;
mod content;
mod entries;
mod processes;

use crate::Change;

macro_rules! changes {
    ($($module:ident: $($name:ident)+;)+) => {
        /// All of them, in the order they are made.
        pub const CHANGES: &[Change] = &[$($(Change { name: stringify!($name), make: $module::$name }),+),+];
    };
}

changes! {
    content: create truncate_on_open append write_in_the_middle write_through_shared_mapping shrink grow
        shrink_by_path punch_hole write_into_hole preallocate copy_range_into sendfile_into write_many_buffers
        creat_call open_by_openat2 open_through_proc write_through_symlink write_through_second_name
        write_after_unlink temporary_file_linked_in large_file_rewritten empty_file_filled create_dangling_target
        splice_into collapse_range read_only_replaced temporary_renamed_over;
    entries: rename rename_over_victim exchange_files exchange_folders rename_without_replacing rename_folder
        rename_in_a_circle rename_over_second_name hard_link link_then_unlink_first unlink_hard_linked make_symlink
        replace_symlink remove_file remove_tree make_folders make_folder_again swap_file_and_folder move_into_child_then_remove
        fifo socket device awkward_names long_names very_deep file_becomes_symlink many_small_files
        rename_over_empty_folder create_then_remove;
    attributes: mode mode_zero folder_mode mode_by_descriptor owner owner_of_symlink times_by_path times_by_descriptor
        times_of_symlink extended_attribute extended_attribute_by_descriptor access_list default_access_list
        inode_flags set_group_bit;
    processes: inherited_descriptor descriptor_over_fork descriptor_over_socket threads daemon
        shell find_exec xargs_remove vfork_children ring_is_refused background_writer;
}
