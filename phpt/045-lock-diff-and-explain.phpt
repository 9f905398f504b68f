--TEST--
Locks are compared and versions explained
--EXTENSIONS--
allegro
--FILE--
<?php
function documents(string $message): array
{
    $text = file_get_contents(getenv('ALLEGRO_ROOT').'/tests/protocol/'.$message.'.json');

    return json_decode($text, true)['documents'];
}

foreach (documents('lock_diff_request') as $request) {
    echo Allegro\lock_diff($request)['text'], "\n";
}
foreach (documents('explain_request') as $request) {
    echo implode("\n", Allegro\explain($request)['lines']), "\n";
    $request['project']['requires'][] = ['acme/log', ['~', '1.0.0.0'], '~1.0'];
    try {
        Allegro\explain($request);
    } catch (Allegro\Exception\InputException $e) {
        echo $e->getMessage(), "\n";
    }
}
?>
--EXPECT--
1 changed
  changed    acme/log  1.0.0 → dev-main (dev)
Nothing changes in the lock.
{
    "changes": []
}
acme/log dev-main 0123456
  the project requires 1.0 || dev-main
  not 2.0: the project requires 1.0 || dev-main
acme/mail is not locked
  the project requires ^3.0
"~1.0" has an unknown operator
