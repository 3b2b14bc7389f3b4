### Todos los textos que leen las personas, en español. Las mismas claves que en.ftl.

## Marco

brand = Proviso
page-title = { $title } – { $organization }
skip-to-content = Ir al contenido principal
nav-label = Páginas principales
nav-home = Inicio
nav-apps = Aplicaciones conectadas
nav-people = Personas
nav-activity = Actividad
nav-launch = Abrir una aplicación
signed-in-as = Sesión de { $name }
sign-out = Cerrar sesión
language-label = Idioma
footer-text = { $organization } guarda aquí sus datos de salud. Proviso cuida de que solo se compartan como usted decida.
footer-terms = Condiciones y ayuda
demo-banner = Esto es una demostración. Las personas y sus datos son inventados.

## Fechas y listas

month-1 = enero
month-2 = febrero
month-3 = marzo
month-4 = abril
month-5 = mayo
month-6 = junio
month-7 = julio
month-8 = agosto
month-9 = septiembre
month-10 = octubre
month-11 = noviembre
month-12 = diciembre
date-month = { $month } de { $year }
date-day = { $day } de { $month } de { $year }
date-time-of-day = { $time } UTC
date-moment = { $day }, { $time }
list-and = { $first } y { $last }

## Tipos de datos

category-demographics = Nombre y datos de contacto
    .examples = nombre, fecha de nacimiento, dirección, teléfono
category-allergies = Alergias
    .examples = penicilina, cacahuetes, polen
category-problems = Problemas de salud
    .examples = diabetes, tensión alta, asma
category-medications = Medicamentos
    .examples = metformina 500 mg, insulina, ibuprofeno
category-laboratory = Resultados de laboratorio
    .examples = azúcar en sangre (HbA1c), colesterol, valores del riñón
category-vitals = Signos vitales
    .examples = tensión arterial, pulso, peso
category-social-history = Historia social
    .examples = tabaco, trabajo, vivienda
category-immunizations = Vacunas
    .examples = gripe, tétanos, COVID-19
category-procedures = Procedimientos
    .examples = examen de la vista, colonoscopia, puntos
category-visits = Visitas
    .examples = revisión, urgencias, ingreso en el hospital
category-notes = Notas y documentos
    .examples = nota de visita, informe de alta, carta de derivación
category-imaging = Imágenes
    .examples = radiografía, ecografía, resonancia
category-care-plans = Planes de cuidado y metas
    .examples = plan de diabetes, meta de peso
category-care-team = Equipo de cuidado
    .examples = médico de familia, enfermera de diabetes
category-devices = Dispositivos
    .examples = medidor de glucosa, marcapasos, audífono
category-family-history = Historia familiar
    .examples = la madre tuvo una enfermedad del corazón
category-coverage = Seguro
    .examples = aseguradora, número de afiliado, plan
category-billing = Facturas y reclamaciones
    .examples = reclamaciones, pagos
category-appointments = Citas
    .examples = revisión el mes que viene
category-messages = Mensajes
    .examples = pregunta sobre una medicina
category-questionnaires = Cuestionarios
    .examples = cuestionario de ánimo, formulario de ingreso

## Datos sensibles

sensitive-mental-health = Salud mental
    .what = Atención y medicinas para el ánimo, la ansiedad y otras afecciones mentales.
    .examples = depresión, visitas de terapia
sensitive-psychotherapy-notes = Notas de psicoterapia
    .what = Las notas propias de un terapeuta sobre las conversaciones con un paciente. La ley las protege más que otras notas.
    .examples = notas de sesión
sensitive-substance-use = Tratamiento por alcohol o drogas
    .what = Atención por el uso de alcohol, medicinas o drogas. Los programas que la dan necesitan un consentimiento por escrito para compartirla (42 CFR Part 2).
    .examples = programa de tratamiento, metadona
sensitive-hiv = VIH
    .what = Pruebas, resultados y tratamiento del VIH. También cuenta un resultado negativo.
    .examples = prueba del VIH, medicina contra el VIH
sensitive-reproductive = Salud sexual y reproductiva
    .what = Embarazo, anticoncepción, aborto, fertilidad y salud sexual.
    .examples = anticonceptivos, prueba de embarazo
sensitive-sti = Infecciones de transmisión sexual
    .what = Pruebas y tratamiento de infecciones que se transmiten por el sexo.
    .examples = prueba de clamidia, tratamiento de la sífilis
sensitive-violence = Violencia doméstica o sexual
    .what = Atención después de la violencia y lo que se contó.
    .examples = preguntas de seguridad, atención de lesiones
sensitive-genetics = Genética
    .what = Pruebas genéticas. También pueden decir algo sobre los familiares.
    .examples = prueba BRCA, prueba de portador
sensitive-adolescent = Atención confidencial de adolescentes
    .what = Atención que una persona joven puede mantener en privado ante sus padres.
    .examples = visita confidencial
sensitive-restricted = Datos con más reserva
    .what = Datos que se nos pidió guardar con más reserva.
    .examples = una visita marcada como privada

## Fines

purpose-treat = su atención
    .proxy = la atención de { $name }
purpose-etreat = atención en una urgencia
    .proxy = la atención de { $name } en una urgencia
purpose-btg = acceso de urgencia
    .proxy = acceso de urgencia a datos de { $name }
purpose-coc = coordinar su atención
    .proxy = coordinar la atención de { $name }
purpose-hpaymt = pagar su atención
    .proxy = pagar la atención de { $name }
purpose-hoperat = el funcionamiento de la organización de salud
    .proxy = el funcionamiento de la organización de salud de { $name }
purpose-patrqt = su propio uso
    .proxy = el uso propio de { $name }, o el de usted para { $name }
purpose-famrqt = el uso de su familia
    .proxy = el uso de la familia de { $name }
purpose-hresch = investigación
    .proxy = investigación con datos de { $name }
purpose-pubhlth = salud pública
    .proxy = salud pública, con datos de { $name }

## Duración

duration-once = Solo esta vez
    .what = El acceso termina en una hora como máximo.
duration-30-days = Durante 30 días
    .what = El acceso termina por sí solo el { $until }.
duration-1-year = Durante un año
    .what = El acceso termina por sí solo el { $until }.
duration-until-stopped = Hasta que yo lo pare
    .what = El acceso sigue hasta que usted lo pare.

## Iniciar sesión

sign-in-title = Iniciar sesión
sign-in-for-app = { $app } quiere conectarse a sus datos. Inicie sesión para responder. No recibe su contraseña.
sign-in-intro = Inicie sesión para ver quién mira sus datos y decidir qué se comparte.
sign-in-username = Nombre de usuario
sign-in-password = Contraseña
sign-in-button = Iniciar sesión
sign-in-wrong = El nombre de usuario o la contraseña no son correctos. Revíselos e inténtelo de nuevo.
sign-in-missing = Escriba su nombre de usuario y su contraseña.
sign-in-throttled = Hubo demasiados intentos. Espere { $seconds } segundos e inténtelo de nuevo.
sign-in-signed-out = Ha cerrado la sesión.
sign-in-demo-hint = En esta demostración todas las contraseñas son «proviso-demo». Pruebe el usuario «maria» (paciente) o «drpatel» (médica).

## Errores, con lo que se puede hacer

error-heading-summary = Hay un problema
error-code = Código
error-request = Número de solicitud
error-home = Ir a la página de inicio
error-return = Volver a la aplicación
error-not-found = Página no encontrada
    .what = No hay ninguna página en esta dirección, o no es para usted.
error-method = Esto no funciona aquí
    .what = La página no se puede usar de esta manera. Vuelva atrás e inténtelo de nuevo.
error-too-large = Se envió demasiado
    .what = Lo enviado es mayor de lo que acepta este servidor.
error-address-too-long = La dirección es demasiado larga
    .what = La dirección es más larga de lo que acepta este servidor.
error-media-type = Este tipo de contenido no se acepta
    .what = El formulario se envió en un formato que este servidor no conoce.
error-form = No se pudo leer el formulario
    .what = Falta algo en el formulario o se envió dos veces. Vuelva atrás, recargue la página e inténtelo de nuevo.
error-csrf = Este formulario es demasiado antiguo
    .what = El formulario no salió de una página que le mostramos, o usted inició sesión de nuevo. No se cambió nada. Vuelva atrás, recargue la página e inténtelo de nuevo.
error-forbidden = Esta página no es para su cuenta
    .what = Ha iniciado sesión, pero esta página es para otras personas.
error-request-gone = Esta solicitud de conexión ha terminado
    .what = Ya tuvo respuesta, tardó demasiado o empezó en otro navegador. Abrir esta página no ha compartido nada. Empiece de nuevo en la aplicación.
error-authorize = La aplicación envió una solicitud que no podemos aceptar
    .what = No se ha compartido nada. Cuente a quienes hacen la aplicación lo que se indica abajo.
error-launch = No se pudo abrir la aplicación
    .what = La aplicación, el paciente o la visita no están a su alcance. No se ha compartido nada.
error-headers-too-long = Lo que envió su navegador es demasiado largo
    .what = Su navegador envió con la solicitud más de lo que acepta este servidor. Puede ayudar borrar cookies antiguas.
error-too-many = Llegaron demasiadas solicitudes desde su red
    .what = Por un momento este servidor no acepta más solicitudes de conexión desde allí. No se compartió ni se cambió nada. Inténtelo de nuevo en un minuto.
error-unavailable = Ahora no podemos hacer esto
    .what = Algo no funciona de nuestro lado. No se compartió ni se cambió nada. Inténtelo de nuevo en unos minutos.

## Elegir paciente

picker-title = ¿De quién son los datos?
picker-intro = { $app } quiere conectarse a los datos de una persona. Elija de quién.
picker-you = { $name } (usted)
picker-acting = { $name } (usted actúa por esta persona)
picker-patient = { $name }
picker-continue = Continuar
picker-cancel = No continuar
picker-missing = Elija una persona.
picker-none = No hay ninguna persona cuyos datos pueda compartir.

## Página de consentimiento

consent-title = { $app } pide ver sus datos de salud
consent-title-proxy = { $app } pide ver los datos de salud de { $patient }
consent-intro = Usted decide qué ve y durante cuánto tiempo. Ninguna casilla está marcada si usted no la marca. Si no comparte, su atención no cambia.
    .proxy = Usted decide qué ve y durante cuánto tiempo. Ninguna casilla está marcada si usted no la marca. Si no comparte, la atención de { $name } no cambia.
consent-acting = Usted actúa por { $patient }. Decide sobre los datos de esa persona, no sobre los suyos.
consent-errors = Antes de poder compartir
consent-error-category = Marque al menos un tipo de datos, o elija «No compartir».
consent-error-duration = Elija durante cuánto tiempo compartir.
consent-error-once-away = «Solo esta vez» y buscar datos mientras usted no está no van juntos. Elija más tiempo o desmarque la casilla.
consent-error-unknown = El formulario nombró algo que la aplicación no pidió. Elija de nuevo.
consent-error-changed = Algo de esta página ha cambiado desde que la abrió. Léala de nuevo y después decida.
consent-error-part2-end = Los datos de tratamiento por alcohol o drogas necesitan una fecha final. Elija otro plazo o no los marque.
consent-error-standing = En este momento no puede compartir los datos de esta persona.
consent-who = Quién lo pide
consent-who-app = Aplicación
consent-who-says = Lo que dice de sí misma
consent-who-site = Sitio web
consent-who-policy = Política de privacidad
consent-who-terms = Condiciones de uso
consent-who-contact = Contacto
consent-who-none = No indicado
consent-who-returns = Después vuelve a
consent-who-unchecked = Estos datos los dan quienes hacen la aplicación. { $organization } no los ha comprobado.
consent-why = Para qué
consent-why-text = La aplicación dice que es para { $purpose }.
consent-whose = De quién son los datos
consent-see = ¿Qué verá { $app }?
consent-see-hint = Marque cada tipo de datos que puede ver. Ve datos anteriores y, mientras comparta, también los nuevos.
consent-see-everything = Esta aplicación pide todos los tipos de datos. Compartidos por completo, son todo lo que tenemos sobre usted, salvo los datos sensibles.
    .proxy = Esta aplicación pide todos los tipos de datos. Compartidos por completo, son todo lo que tenemos sobre { $name }, salvo los datos sensibles.
consent-examples = Por ejemplo: { $examples }
consent-tick-all = Marcar todos estos tipos
consent-tick-none = Desmarcar todo
consent-write = La aplicación también pide añadir o cambiar datos de los tipos que marque.
consent-delete = La aplicación también pide borrar datos de los tipos que marque.
consent-identity = También sabrá quién es usted: que inició sesión aquí y qué datos son los suyos.
consent-identity-proxy = También sabrá quién es usted: que inició sesión aquí y por quién actúa.
consent-sensitive = Datos sensibles
consent-sensitive-hint = Necesitan un sí aparte, porque en malas manos pueden hacerle daño. Un dato sensible se muestra solo si también marca arriba su tipo de datos.
    .proxy = Necesitan un sí aparte, porque en malas manos pueden hacer daño a { $name }. Un dato sensible se muestra solo si también marca arriba su tipo de datos.
consent-not = ¿Qué no verá?
consent-not-unticked = Los tipos de datos de arriba que deje sin marcar.
consent-not-sensitive = Los datos sensibles que deje sin marcar, aunque sean de un tipo que comparte. A la aplicación no se le dice que hay algo que no ve.
consent-not-asked = { $count ->
    [one] Un tipo de datos que no pidió
   *[other] { $count } tipos de datos que no pidió
}
consent-not-for-proxy = Datos confidenciales entre el paciente y quienes le atienden. Solo el paciente puede compartirlos.
consent-who-more = Más sobre la aplicación
consent-sensitive-summary = { $count ->
    [one] Mostrar un tipo de datos sensibles
   *[other] Mostrar { $count } tipos de datos sensibles
}
consent-not-people = Datos de otras personas, aunque sean de la familia.
consent-long = ¿Cuánto tiempo?
consent-long-hint = Puede parar antes en cualquier momento.
consent-offline = Cuando usted no está
consent-offline-label = Permitir que { $app } busque datos nuevos mientras no la uso
consent-offline-hint = Sin esto, ve datos solo un rato después de que usted la use. Nunca sigue más allá del tiempo que elija arriba.
consent-after = ¿Qué pasa después?
consent-after-share = Si comparte, { $app } puede mirar enseguida lo que marcó.
    .proxy = Si comparte, { $app } puede mirar enseguida lo que marcó de { $name }.
consent-after-see = En Actividad ve usted cada consulta que hace.
    .proxy = Usted y { $name } ven en Actividad cada consulta que hace.
consent-after-receipt = En Aplicaciones conectadas encuentra un comprobante de su decisión, para imprimir o guardar.
    .proxy = En Aplicaciones conectadas encuentra un comprobante de la decisión, para imprimir o guardar.
consent-after-stop = Puede parar en cualquier momento en Aplicaciones conectadas. Su siguiente solicitud se rechaza.
    .proxy = Usted y { $name } pueden parar en cualquier momento en Aplicaciones conectadas. Su siguiente solicitud se rechaza.
consent-after-copies = Lo que haya copiado hasta entonces se queda con ella. No podemos recuperarlo ni comprobar cómo se usa.
    .proxy = Lo que haya copiado hasta entonces se queda con ella. No podemos recuperarlo ni comprobar cómo se usa.
consent-after-deny = Si no comparte, no recibe nada y usted vuelve a la aplicación.
    .proxy = Si no comparte, no recibe nada sobre { $name } y usted vuelve a la aplicación.
consent-technical = La solicitud en palabras técnicas
consent-terms = Condiciones mostradas: { $uri }
consent-share = Compartir
consent-deny = No compartir
consent-decide = Su decisión

## Página operativa (personal)

operational-title = { $app } quiere abrir datos para usted
operational-intro = Ha iniciado sesión como { $name }. La aplicación ve lo que su función le permite ver, y nada más.
operational-patient = Paciente
operational-no-patient = Sin paciente concreto: todos los pacientes a su cargo
operational-encounter = Visita
operational-scopes = Qué puede hacer la aplicación
operational-scope-view = ver estos tipos de datos: { $kinds }
operational-scope-write = añadir o cambiar estos tipos de datos: { $kinds }
operational-rules = Para cada dato valen las reglas de { $organization } y las objeciones del paciente.
operational-audit = Cada dato que se abre queda escrito con su nombre en el registro de actividad. El paciente puede verlo.
identity-title = { $app } quiere saber quién es usted
identity-intro = Ha iniciado sesión como { $name }.
identity-who = Sabrá que inició sesión aquí y quién es usted.
identity-nothing = No ve ningún dato de salud.
operational-allow = Permitir
operational-deny = No permitir

## Inicio del portal

home-title = Hola, { $name }
home-acting = Usted actúa por { $name }
home-acting-what = Ve los datos de { $name } y decide sobre ellos. Esa persona puede ver lo que usted hace.
home-whose = ¿De quién quiere ver las páginas?
home-show = Mostrar
home-apps = Quién puede ver los datos ahora
home-apps-count = { $count ->
    [0] Ninguna aplicación puede ver los datos.
    [one] Una aplicación puede ver datos.
   *[other] { $count } aplicaciones pueden ver datos.
}
home-apps-link = Ver aplicaciones conectadas
home-activity = Lo último que pasó
home-activity-none = Todavía no ha pasado nada.
home-activity-times = { $sentence } ({ $count } veces)
home-activity-link = Ver toda la actividad
home-demo = Pruébelo
home-demo-text = Abra la aplicación de demostración y pídale que se conecte.
home-demo-link = Abrir la aplicación de demostración
home-staff = Abrir una aplicación para un paciente
home-staff-text = Inicie una aplicación con un paciente a su cargo. Cada dato que se abre queda registrado.
home-staff-link = Elegir una aplicación
home-nobody = No hay datos de salud para esta cuenta
home-nobody-text = Su cuenta no tiene datos de salud propios y ahora no actúa por nadie.

## Aplicaciones conectadas

apps-title = Aplicaciones conectadas
apps-intro = Estas aplicaciones pueden ver datos ahora. Puede parar cada una en cualquier momento.
apps-none = No hay ninguna aplicación conectada
apps-none-text = Cuando permita que una aplicación vea datos, aparecerá aquí.
apps-ended = Terminadas
apps-ended-intro = Estas aplicaciones pudieron ver datos alguna vez. Ya no pueden.
apps-active = Compartiendo
apps-not-yet = Sin empezar
apps-over = Terminada
apps-sees = Ve
apps-saw = Pudo ver
apps-sensitive = Datos sensibles
apps-sensitive-none = Ninguno
apps-sensitive-private = Solo el paciente ve cuáles
apps-since = Desde
apps-until = Hasta
apps-until-stopped = Que usted lo pare
apps-ended-on = Terminó
apps-given-by = Lo eligió
apps-offline = Cuando usted no está
apps-offline-yes = Puede buscar datos nuevos
apps-offline-no = No puede
apps-told = Datos nuevos
apps-told-yes = Se le avisa de ellos enseguida, en la medida en que puede verlos
apps-last-seen = Última consulta
apps-last-seen-never = Todavía no ha mirado
apps-purpose = Para qué
apps-activity = Lo que hizo { $app }
apps-stop = Dejar de compartir
apps-stop-with = Dejar de compartir con { $app }
apps-history = Historial y comprobantes de { $app }

## Una decisión de compartir

choice-title = Compartir con { $app }
choice-history = Qué se eligió y cuándo
choice-history-intro = Cada cambio crea una versión nueva. Ninguna versión se cambia ni se borra. De cada una hay un comprobante que puede guardar.
choice-version = Versión { $number }
choice-began = Se empezó a compartir con { $app }.
choice-changed = Se eligió de nuevo qué se comparte con { $app }.
choice-stopped = Se dejó de compartir con { $app }.
choice-expired = Se dejó de compartir con { $app } porque terminó el plazo.
choice-mistake = Esta decisión se marcó como un error.
choice-not-given = Esta decisión aún no se había tomado.
choice-shares = Tipos de datos
choice-change-more = Se comparte además: { $what }.
choice-change-less = Ya no se comparte: { $what }.
choice-change-sensitive-more = Datos sensibles que se comparten además: { $what }.
choice-change-sensitive-less = Datos sensibles que ya no se comparten: { $what }.
choice-change-purpose-more = Ahora puede usarse también para esto: { $what }.
choice-change-purpose-less = Ya no puede usarse para esto: { $what }.
choice-change-period = El nuevo final: { $what }.
choice-change-data-period = Se comparten datos de otra época.
choice-change-offline-yes = Ahora puede buscar datos nuevos mientras usted no está.
choice-change-offline-no = Ya no puede buscar datos nuevos mientras usted no está.
choice-change-giver = Otra persona tomó la decisión.
choice-change-wording = El texto de la página o sus condiciones habían cambiado.
choice-receipt = Comprobante de la versión { $number }

receipt-title = Comprobante: { $app }, versión { $number }
receipt-what = Qué se eligió
receipt-whose = Datos de
receipt-from = Los guarda
receipt-to = Se comparten con
receipt-recorded = Elegido el
receipt-now = Cuando se hizo este comprobante ({ $at }), la decisión estaba vigente.
receipt-now-other = Cuando se hizo este comprobante ({ $at }), estaba vigente una versión posterior de la decisión.
receipt-ended = Cuando se hizo este comprobante ({ $at }), ya no se compartía nada por esta decisión.
receipt-partial = Es posible que el paciente haya nombrado datos sensibles en confianza. No están en este comprobante, así que no contiene la decisión entera.
receipt-text = El texto que se mostró
receipt-proof = Cómo pueden comprobarlo otras personas
receipt-proof-intro = El archivo está firmado. Quien lo tenga puede averiguar que nada se cambió en él, sin preguntarnos.
receipt-check = El comando “proviso verify-receipt” comprueba el archivo. Guarde con él la clave del registro: así se podrá comprobar mientras quiera.
receipt-id = Comprobante
receipt-version-id = Nombre de la versión
receipt-text-hash = Huella del texto
receipt-key = Clave de firma
receipt-log-key = Clave del registro
receipt-log-place = Lugar en el registro
receipt-file = Descargar el archivo firmado
receipt-back = Volver a la decisión

stop-title = ¿Dejar de compartir con { $app }?
stop-what = Lo que pasará
stop-next = Su siguiente solicitud de datos se rechaza. Tiene efecto enseguida.
stop-away = Ya no podrá buscar datos nuevos cuando usted no está.
stop-copies = Lo que copió antes se queda con ella. Pida a quienes la hacen que lo borren.
stop-again = Puede volver a pedírselo. Entonces decide usted de nuevo.
stop-care = Su atención no cambia.
stop-sees = Lo que ve ahora
stop-confirm = Dejar de compartir
stop-cancel = Seguir compartiendo

stopped-title = { $app } ya no puede ver los datos
stopped-what = Lo que pasó
stopped-at = Dejó de compartirse el { $at }.
stopped-next = Desde ahora se rechaza cada solicitud de { $app }. Su llave de los datos ya no sirve.
stopped-copies = Lo que copió antes se queda con ella. Para que se borre, pídalo a quienes la hacen.
stopped-log = Lo hemos escrito en su lista de actividad.
stopped-activity = Ver actividad
stopped-apps = Volver a aplicaciones conectadas

## Personas

people-title = Personas
people-shared = Personas con las que se comparte
people-shared-none = Ninguna decisión de compartir nombra a una persona.
people-sees = Puede ver
people-saw = Pudo ver
people-acting = Personas que actúan por el paciente
people-acting-what = Pueden mirar los datos y decidir sobre compartirlos en lugar del paciente.
people-acting-none = Nadie actúa por el paciente.
people-acting-sees = Todos los tipos de datos, salvo lo que queda entre el paciente y quienes le atienden.
people-acting-end = Quién puede terminarlo
people-acting-end-who = { $organization } puede. Pregunte a la persona responsable de privacidad.
people-approved = Aprobado el
people-approval-due = Debe aprobarse de nuevo antes del
people-of-age = Termina cuando el paciente sea mayor de edad
people-no-start = Sin fijar
people-no-end = Sin fecha de fin
stop-person-next = Desde entonces { $app } ya no puede mirar datos por esta decisión. Tiene efecto enseguida.
stop-person-acting = Si { $app } también actúa por el paciente, eso sigue. La página Personas dice quién puede terminarlo.
stop-person-again = Puede volver a compartir cuando quiera. La atención no cambia.
stopped-person-title = Ya no se comparte con { $app }
stopped-person-next = Desde ahora { $app } ya no puede mirar datos por esta decisión.
stopped-person-acting = Si { $app } también actúa por el paciente, eso sigue. La página Personas dice quién puede terminarlo.
stopped-people = Volver a personas
home-people = Personas
home-people-count = { $count ->
    [0] No se comparte con ninguna persona.
    [one] Se comparte con una persona.
   *[other] Se comparte con { $count } personas.
}
home-people-acting = { $count ->
    [0] Nadie actúa por el paciente.
    [one] Una persona actúa por el paciente.
   *[other] { $count } personas actúan por el paciente.
}
home-people-link = Ver personas

## Decisiones archivadas

filed-title = Decisiones archivadas
filed-intro = Lo que usted firmó en otro lugar, en un mostrador o en otro sistema, y se envió a { $organization }. Se comprueba cada vez que alguien pide sus datos.
filed-intro-kept = Lo que el paciente firmó en otro lugar, en un mostrador o en otro sistema, y se envió a { $organization }. Se comprueba cada vez que alguien pide los datos.
filed-none = No hay nada archivado
filed-none-text = Si firma un formulario de consentimiento en el mostrador, aquí podrá leer qué hace.
filed-kept = Solo el paciente ve esto
filed-kept-text = Lo que alguien firmó por sí mismo se queda con esa persona. Pregúntele si necesita saberlo.
filed-number = Formulario de consentimiento, versión { $number }
filed-heard = En uso
filed-unread = No se puede leer, así que reservamos sus datos
filed-other = Trata de otra cosa que sus datos
filed-ended = No está en uso
filed-given = Firmado el
filed-since = Recibido el
filed-permit = Usted permite esto
filed-deny = Usted reserva esto
filed-but-permit = Excepto esto, que usted permite
filed-but-deny = Excepto esto, que usted reserva
filed-of-that-permit = Pero de eso, usted permite esto
filed-of-that-deny = Pero de eso, usted reserva esto
filed-who = Quién
filed-author = datos escritos por { $name }
filed-holder = datos que guarda { $name }
filed-for = Para qué
filed-labels = Cuán delicado
filed-level-u = abierto a todos
filed-level-l = poco delicado
filed-level-m = algo más delicado
filed-level-n = no delicado
filed-level-r = delicado
filed-level-v = muy delicado
filed-kinds = Qué tipos de datos
filed-records = Qué datos
filed-actions = Para hacer qué
filed-when = Cuando alguien pide
filed-from = Datos de
filed-between = del { $start } al { $end }
filed-starting = desde el { $start }
filed-ending = hasta el { $end }
filed-everything = todos y todo
filed-more = { $count ->
    [one] uno más
   *[other] { $count } más
}
filed-change = Para cambiar o detener esto
filed-change-text = Pregunte donde lo firmó. Las aplicaciones y personas que usted eligió aquí están en las páginas Aplicaciones conectadas y Personas, y puede detenerlas allí en cualquier momento.
filed-back = Volver al inicio
home-filed = Decisiones archivadas
home-filed-count = { $count ->
    [0] No hay ningún formulario de consentimiento suyo archivado.
    [one] Hay un formulario de consentimiento suyo en uso.
   *[other] Hay { $count } formularios de consentimiento suyos en uso.
}
home-filed-link = Ver decisiones archivadas

## Actividad

activity-title = Actividad
activity-intro = Quién miró los datos, quién lo intentó y qué cambió. Primero lo más reciente.
activity-filter = Mostrar solo
activity-filter-app = Aplicación
activity-filter-all-apps = Todas las aplicaciones
activity-filter-from = Desde
activity-filter-to = Hasta
activity-filter-kind = Tipo de datos
activity-filter-all-kinds = Todos los tipos
activity-filter-outcome = Resultado
activity-filter-all-outcomes = Todos los resultados
activity-filter-apply = Mostrar
activity-filter-clear = Mostrar todo
activity-filter-bad-date = Escriba las fechas con año, mes y día, por ejemplo 2026-11-22.
activity-filter-order = El primer día no puede ser posterior al último.
activity-none = Todavía no hay nada
activity-none-text = En cuanto alguien mire los datos, o lo intente, lo verá aquí.
activity-none-filtered = Nada coincide
activity-none-filtered-text = No hay actividad que encaje con lo que eligió.
activity-older = Anteriores
activity-newer = Volver a lo más reciente
activity-pages = Páginas de actividad
activity-sensitive = Datos sensibles
activity-times-zone = Las horas son hora mundial (UTC) y pueden no coincidir con las de su reloj.
activity-who = Quién
activity-why = Por qué
activity-result = Resultado
activity-outcome-success = Hecho
activity-outcome-denied = Rechazado
activity-outcome-failure = No funcionó
activity-outcome-error = Fallo nuestro
activity-access-outcome-success = Permitido
activity-access-outcome-nothing = No se mostró nada
activity-who-you = Usted
activity-who-app-for-you = { $app }, conectada por usted
activity-who-app-for = { $app }, para { $name }
activity-who-app = { $app }
activity-who-person = { $name }
activity-who-server = Este servidor
activity-who-nobody = Alguien sin sesión iniciada
activity-why-purpose = Para { $purpose }

activity-access-read = { $outcome ->
    [success] { $count ->
        [0] { $who } pidió { $kinds } y no recibió nada.
        [one] { $who } miró un dato: { $kinds }.
       *[other] { $who } miró { $count } datos: { $kinds }.
    }
    [denied] Paramos a { $who }. Se trataba de { $kinds }.
    [failure] { $who } preguntó de una manera que no funciona y no recibió nada.
   *[error] { $who } pidió { $kinds }. Algo falló aquí y no se entregó nada.
}
activity-access-read-some = { $who } miró datos: { $kinds }.
activity-access-write-some = { $who } añadió o cambió datos: { $kinds }.
activity-access-read-unshared = { $who } pidió { $kinds } y no recibió nada, porque eso no se comparte.
activity-access-write = { $outcome ->
    [success] { $who } añadió o cambió { $count ->
        [one] un dato: { $kinds }.
       *[other] { $count } datos: { $kinds }.
    }
    [denied] Impedimos que { $who } añadiera o cambiara { $kinds }.
    [failure] { $who } intentó añadir o cambiar { $kinds } de una manera que no funciona.
   *[error] { $who } intentó añadir o cambiar { $kinds }. Algo falló aquí y no se cambió nada.
}
activity-access-delete = { $outcome ->
    [success] { $who } borró { $kinds }.
    [denied] Impedimos que { $who } borrara { $kinds }.
    [failure] { $who } intentó borrar { $kinds } de una manera que no funciona.
   *[error] { $who } intentó borrar { $kinds }. Algo falló aquí y no se borró nada.
}
activity-access-delete-some = { $who } borró { $kinds }.
activity-access-notify-some = A { $who } se le avisó enseguida de datos: { $kinds }.
activity-access-notify = { $outcome ->
    [success] { $count ->
        [0] Hubo novedades sobre { $kinds }. A { $who } no se le dijo nada.
        [one] A { $who } se le avisó enseguida de un dato: { $kinds }.
       *[other] A { $who } se le avisó enseguida de { $count } datos: { $kinds }.
    }
    [denied] Hubo novedades sobre { $kinds }. No se las dijimos a { $who }.
   *[error] Hubo novedades sobre { $kinds }. A { $who } no se le dijo nada, porque algo falló aquí.
}
activity-subscription = { $outcome ->
    [success] { $action ->
        [create] { $who } pidió que se le avise enseguida de los datos nuevos que puede ver.
        [update] { $who } cambió de qué se le avisa enseguida.
        [delete] A { $who } ya no se le avisa enseguida de datos nuevos.
       *[other] { $who } miró de qué se le avisa enseguida.
    }
   *[other] { $who } pidió que se le avise enseguida de datos nuevos. Se le negó.
}
activity-kinds-several = varios tipos de datos
activity-kinds-unknown = datos
activity-access-stopped = Paramos a { $who }.
activity-kinds-directory = personal, lugares o medicamentos
activity-times = { $count ->
    [one] una vez
   *[other] { $count } veces
}
activity-sign-in = { $outcome ->
    [success] { $who } inició sesión.
   *[other] Alguien intentó iniciar sesión y no pudo.
}
activity-sign-out = { $who } cerró la sesión.
activity-authorization = { $outcome ->
    [success] { $action ->
        [launch] { $who } abrió { $app }.
       *[other] { $who } dijo que sí a { $app }.
    }
    [denied] { $who } dijo que no a { $app }.
   *[other] { $app } pidió conectarse de una manera que no funciona.
}
activity-some-app = una aplicación
activity-token = { $outcome ->
    [success] { $who } recibió una llave nueva para los datos que puede ver.
   *[other] { $who } pidió una llave nueva y se le rechazó.
}
activity-token-revocation = { $who } devolvió su llave.
activity-introspection = Un servicio preguntó si una llave sigue siendo válida.
activity-evaluation = { $outcome ->
    [success] { $who }, un servicio de su organización de salud, preguntó si alguien puede ver un dato suyo. La respuesta fue sí. No se mostró ningún dato.
   *[other] { $who }, un servicio de su organización de salud, preguntó si alguien puede ver un dato suyo. La respuesta fue no.
}
activity-simulate = { $outcome ->
    [success] Su organización de salud consultó quién puede ver cuáles de sus datos. No se mostró ningún dato.
   *[other] Su organización de salud quiso consultar quién puede ver sus datos. No obtuvo respuesta.
}
activity-identity = { $outcome ->
    [success] { $who } preguntó quién había iniciado sesión y se le dijo.
   *[other] { $who } preguntó quién había iniciado sesión y se le rechazó.
}
activity-consent = { $action ->
    [record] { $who } empezó a compartir: { $kinds }.
    [amend] { $who } cambió lo que se comparte: { $kinds }.
    [revoke] { $who } dejó de compartir.
    [expire] Se dejó de compartir porque terminó el plazo.
   *[other] Cambió una decisión de compartir.
}
activity-consent-with = { $action ->
    [record] { $who } empezó a compartir con { $app }: { $kinds }.
    [amend] { $who } cambió lo que se comparte con { $app }: { $kinds }.
    [revoke] { $who } dejó de compartir con { $app }.
    [expire] Se dejó de compartir con { $app } porque terminó el plazo.
   *[other] Cambió la decisión de compartir con { $app }.
}
activity-client-registration = Se añadió una aplicación a la lista de aplicaciones conocidas.
activity-portal-view = { $outcome ->
    [success] { $who } miró estas páginas.
   *[other] { $who } quiso mirar estas páginas y se le rechazó.
}
activity-key = Se cambió una clave de seguridad de este servicio.
activity-names-shown = Su nombre estaba en una lista de pacientes que vio { $who }.
activity-names-shown-for = Su nombre estaba en una lista de pacientes que vio { $who }, para elegir uno para { $app }.
activity-import = { $outcome ->
    [success] Su organización de salud añadió datos aquí.
   *[other] Su organización de salud intentó añadir datos aquí. No funcionó.
}
activity-administration = { $action ->
    [delete] Su organización de salud quitó un dato: { $kinds }.
    [choices] Su organización de salud miró las decisiones de compartir.
    [proxy-approve] Su organización de salud aprobó que alguien actúe por usted.
    [proxy-end] Terminó que alguien actúe por usted.
    [proxy-list] Su organización de salud miró quién actúa por usted.
    [shift] Empezó el turno de enfermería con usted.
   *[other] Su organización de salud cambió algo en el funcionamiento de este servicio.
}

## Abrir una aplicación (personal)

launch-title = Abrir una aplicación
launch-intro = Elija una aplicación y un paciente a su cargo. La aplicación se abre con este paciente.
launch-app = Aplicación
launch-address = Se abre en { $uri }
launch-patient = Paciente
launch-visit-hint = Para abrir la aplicación con una visita determinada, elija antes la visita.
launch-choose-visit = Elegir una visita
launch-visit-title = ¿Qué visita de { $patient }?
launch-visit-intro = { $app } se abre con este paciente y con la visita que elija.
launch-visit = Visita
launch-visit-none = Ninguna visita en particular
launch-visit-label = { $what }, { $when }
launch-visit-unnamed = Visita
launch-visit-undated = sin fecha
launch-visit-cut = Las visitas anteriores no están en esta lista.
launch-visit-empty = No hay ninguna visita de este paciente que usted pueda abrir.
launch-back = Elegir a otra persona
launch-open = Abrir
launch-missing-app = Elija una aplicación.
launch-missing-patient = Elija un paciente.
launch-wrong-visit = No es una de las visitas de este paciente que usted puede abrir. Elija una de la lista, o ninguna.
launch-no-apps = No hay ninguna aplicación preparada para abrirse desde aquí.
launch-no-patients = Ahora no tiene ningún paciente a su cargo.

## Condiciones y ayuda

terms-title = Condiciones y ayuda
terms-choose = Usted elige
terms-choose-text = Una aplicación ve datos solo si usted se lo permite, solo los tipos que eligió y solo el tiempo que eligió. Los datos sensibles necesitan un sí aparte.
terms-stop = Puede parar
terms-stop-text = Vaya a Aplicaciones conectadas y elija «Dejar de compartir». La siguiente solicitud de la aplicación se rechaza. Lo que copió antes se queda con ella.
terms-see = Puede ver
terms-see-text = Actividad muestra quién miró los datos, para qué y qué se rechazó. Las entradas no se pueden cambiar ni borrar sin que se note.
terms-staff = Personas que le atienden
terms-staff-text = El personal de { $organization } puede ver los datos que necesita para su atención. Cada consulta aparece en Actividad.
terms-help = Ayuda
terms-help-text = Si algo le parece mal, pregunte a la persona responsable de privacidad de { $organization }.

## La aplicación de demostración: otra parte, con sus propias palabras

demo-title = Glucose Coach
demo-tagline = Una aplicación de demostración. No sabe nada de usted hasta que usted se lo permite.
demo-app-note = Esta página es de la aplicación, no de su organización de salud. Usa las mismas puertas que cualquier otra aplicación: una solicitud de conexión, un token y la API FHIR.
demo-connect = Conectar con mis datos
demo-connect-text = Irá a { $organization }, iniciará sesión allí y elegirá qué compartir.
demo-hint = Inicie sesión como «maria» con la contraseña «proviso-demo».
demo-connected = Conectada
demo-not-connected = Sin conectar
demo-connected-for = La aplicación mira los datos de { $patient }.
demo-connected-for-somebody = La aplicación mira los datos de la persona que usted eligió.
demo-allowed-kinds = Usted le deja mirar: { $kinds }.
demo-technical = Para quienes desarrollan
demo-allowed = Lo que permitió
demo-data = Lo que recibió la aplicación
demo-data-when = Pedido el { $at }
demo-count = { $count ->
    [0] nada
    [one] 1 dato
   *[other] { $count } datos
}
demo-more = y { $count } más
demo-kind-refused = Usted no comparte esto
demo-kind-none = Nada que mostrar
demo-again = Pedir los datos otra vez
demo-forget = Desconectar esta aplicación
demo-portal = Ver y parar lo que se comparte
demo-portal-activity = Ver lo que hizo la aplicación
demo-refused = Se rechaza a la aplicación
demo-refused-text = { $organization } ya no permite que esta aplicación vea datos.
demo-denied = No compartió
demo-denied-text = La aplicación no recibió nada. Puede intentarlo de nuevo cuando quiera.
demo-failed = La conexión no funcionó
demo-failed-text = La aplicación no pudo conectarse con { $organization } y no recibió nada. Inténtelo de nuevo.
demo-unnamed = sin nombre
demo-chart-title = Chart Lens
demo-chart-closed = Esta aplicación se abre con un paciente. El personal clínico la abre desde la página «Abrir una aplicación».
demo-chart-data = Lo que recibió la aplicación
demo-chart-another = Abrir otro paciente
demo-chart-denied = No dejó entrar a la aplicación
demo-chart-denied-text = La aplicación no recibió nada.
demo-chart-kind-refused = No abierto para usted
demo-chart-failed = No se pudo abrir la aplicación
demo-chart-failed-text = La aplicación no pudo conectarse con { $organization } y no recibió nada. Vuelva a abrirla desde la página «Abrir una aplicación».
demo-kind-patient = Nombre y datos de contacto
demo-kind-allergies = Alergias
demo-kind-problems = Problemas de salud
demo-kind-medications = Medicamentos
demo-kind-laboratory = Resultados de laboratorio
demo-kind-vitals = Signos vitales
demo-kind-immunizations = Vacunas
demo-kind-procedures = Procedimientos
demo-kind-visits = Visitas
demo-kind-notes = Notas y documentos
demo-kind-social-history = Historia social
demo-kind-care-plans = Planes de cuidado y metas

## Quién puede ver qué

who-title = Quién puede ver qué
who-intro = Así es ahora mismo. Se calcula de nuevo cada vez que se abre esta página, y su visita queda anotada.
who-apps = Aplicaciones
who-apps-none = Ninguna aplicación puede ver datos.
who-people = El paciente y quienes actúan por él
who-people-none = Nadie más puede ver datos de esta forma.
who-staff = Personas que dan atención
who-staff-none = Nadie que dé atención puede ver datos ahora mismo.
who-staff-apps = Las aplicaciones que usan en su trabajo no pueden ver más que ellas.
who-staff-private = Las personas que dan atención ven lo que su trabajo necesita. Solo el paciente ve quiénes son.
who-services = Servicios de { $organization }
who-services-none = Ningún servicio puede ver datos.
who-patient = El paciente
who-chosen-by = Elegido por { $name }
who-private = Si puede ver datos sensibles, solo se le dice al paciente.
who-at-most = Estos son, como mucho, los datos. El paciente puede haber elegido en otro lugar que algunos no se muestren.
who-count = { $count ->
    [0] No puede ver ninguno de los { $total } datos de aquí.
    [one] Puede ver uno de los { $total } datos de aquí.
   *[other] Puede ver { $count } de los { $total } datos de aquí.
}
who-kind = { $kind }: { $count }
who-other = Otros datos
who-open = Ver qué datos puede ver { $name }
who-cut = Hay más datos de los que caben aquí. Se cuentan los primeros { $count }.
who-records-title = Lo que puede ver { $name }
who-records = Los datos
who-no-date = Sin fecha
who-newer = Registros más nuevos
who-older = Registros más antiguos
who-back = Volver a quién puede ver qué
home-who-text = Vea para cada aplicación y cada persona qué datos puede ver.
home-who-link = Ver quién puede ver qué
losing-title = Si deja de compartir, { $app } ya no podrá ver
losing-count = { $count ->
    [0] { $app } no puede ver ningún dato ahora mismo, así que hoy no cambia nada.
    [one] Deja de ver un dato.
   *[other] Deja de ver { $count } datos.
}
losing-list = Mostrar cada dato
losing-private = Puede haber datos sensibles entre ellos. Solo se le dice al paciente cuáles.
losing-failed = La lista no se puede mostrar ahora mismo. Puede dejar de compartir igualmente.
preview-title = Si comparte esto, { $app } podrá ver
preview-count = { $count ->
    [0] Ninguno de los { $total } datos de aquí, tal como está ahora.
    [one] Uno de los { $total } datos de aquí, tal como está ahora.
   *[other] { $count } de los { $total } datos de aquí, tal como está ahora.
}
preview-lost = { $count ->
    [one] Un dato que ahora puede ver dejará de verlo.
   *[other] { $count } datos que ahora puede ver dejará de verlos.
}
preview-listed = La lista de abajo nombra los { $count } más nuevos.
preview-failed = La lista no se puede mostrar ahora mismo. Puede decidir igualmente.
consent-preview = Mostrarme antes cada dato
emergency-title = Acceso de emergencia
emergency-intro = Para un solo paciente cuya vida o salud está en peligro y que no está a su cargo. Nunca dura más de 60 minutos y solo permite leer.
emergency-link = Declarar acceso de emergencia
emergency-back = Volver a sus propios pacientes
emergency-declare = Declarar acceso de emergencia
emergency-told = Se avisa al paciente en el momento. Cada dato que usted abre queda anotado para el paciente y para la revisión que otra persona hace en tres días.
emergency-patient = Número de paciente
emergency-reason = Por qué lo necesita
emergency-reason-unresponsive = El paciente no puede responder
    .patient = usted no podía responder
emergency-reason-life-threat = La vida del paciente está en peligro
    .patient = su vida estaba en peligro
emergency-reason-threat-to-others = Otras personas están en peligro
    .patient = otras personas estaban en peligro
emergency-reason-unreachable = No se puede localizar al profesional que trata al paciente
    .patient = no se pudo localizar a nadie que lo trata
emergency-why = Qué pasó, con sus propias palabras. El paciente puede leerlo.
emergency-minutes = Durante cuántos minutos (de 1 a 60)
emergency-password = Su contraseña, otra vez
emergency-button = Declarar y abrir
emergency-missing-patient = Escriba el número de un paciente.
emergency-missing-reason = Elija uno de los motivos.
emergency-missing-why = Diga con sus propias palabras qué pasó, en 2000 caracteres como máximo.
emergency-missing-minutes = Escriba un número de minutos de 1 a 60.
emergency-missing-password = Escriba otra vez su contraseña.
emergency-wrong-password = La contraseña no es correcta. No se abrió nada.
emergency-no-patient = No hay ningún paciente con este número. No se abrió nada.
emergency-open = Acceso de emergencia a los datos de { $patient }
emergency-until = Termina el { $time }.
emergency-app = { $app }, en { $uri }
emergency-end = Terminar ahora
operational-emergency = Es un acceso de emergencia. Termina el { $time }. La aplicación puede leer y no puede cambiar nada. Se avisa al paciente.
home-emergency-title = Alguien abrió sus datos en una emergencia
home-emergency = { $over ->
    [yes] { $who } pudo ver sus datos desde { $from } hasta { $until }, porque { $reason }.
   *[no] { $who } puede ver sus datos desde { $from }, porque { $reason }. Termina el { $until }.
}
home-emergency-words = Escribió: «{ $why }»
home-emergency-review = Otra persona comprueba si estuvo bien. En su actividad ve cada dato que se abrió.
home-notice-title = Su organización de salud le avisa enseguida de esto
home-notice = { $when }: { $sentence } Quién: { $who }.
home-notice-more = Estos datos se cuidan de forma especial, por eso se le avisa cada vez. En su actividad puede ver todo.
activity-oversight = { $action ->
    [review] { $outcome ->
        [success] Se comprobó si un acceso a sus datos estuvo bien. Lo hizo { $who }.
       *[other] Se intentó comprobar un acceso a sus datos. Se impidió. Fue { $who }.
    }
   *[other] Su organización de salud consultó los accesos a sus datos que comprueba.
}
activity-emergency = { $action ->
    [declare] { $outcome ->
        [success] Sus datos se abrieron en una emergencia. Lo hizo { $who }.
       *[other] Se intentó abrir sus datos en una emergencia. Se impidió. Fue { $who }.
    }
    [end] { $outcome ->
        [success] Terminó el acceso de emergencia a sus datos. Lo hizo { $who }.
       *[other] Se intentó terminar el acceso de emergencia a sus datos. Fue { $who }.
    }
    [review] { $outcome ->
        [success] Se comprobó si el acceso de emergencia a sus datos estuvo bien. Lo hizo { $who }.
       *[other] Se intentó comprobar un acceso de emergencia a sus datos. Se impidió. Fue { $who }.
    }
   *[other] Su organización de salud consultó el acceso de emergencia a sus datos.
}
